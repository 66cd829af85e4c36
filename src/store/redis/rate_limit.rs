//! Rate limit counters in Redis: numbers with an expiration.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    RedisStore, millis,
    scripts::{RATE_LIMIT_REFUND, RATE_LIMIT_TAKE, evalsha},
};
use crate::{
    model::{RateLimitKey, RateLimitState, StoreError},
    store::RateLimitStore,
};

#[async_trait]
impl RateLimitStore for RedisStore {
    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        let mut take = evalsha(&RATE_LIMIT_TAKE, &[self.keys.rate_limit(key)]);
        take.arg(millis(window)).arg(max);
        let (count, remaining_ms): (u64, u64) = self.redis.query(&take).await?;
        Ok(RateLimitState {
            count,
            resets_in: Duration::from_millis(remaining_ms),
        })
    }

    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError> {
        let refund = evalsha(&RATE_LIMIT_REFUND, &[self.keys.rate_limit(key)]);
        self.redis.query(&refund).await
    }
}
