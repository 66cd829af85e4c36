//! Rate limit counters in Redis: numbers with an expiration.

use std::time::Duration;

use async_trait::async_trait;
use redis::cmd;

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

    async fn rate_limit_state(&self, key: &RateLimitKey) -> Result<RateLimitState, StoreError> {
        let key = self.keys.rate_limit(key);
        let count: Option<u64> = self.redis.query(cmd("GET").arg(&key)).await?;
        let remaining_ms: i64 = self.redis.query(cmd("PTTL").arg(&key)).await?;
        // It is negative if the counter has expired between the commands.
        let remaining_ms = u64::try_from(remaining_ms);
        let count = count.filter(|_| remaining_ms.is_ok());
        Ok(RateLimitState {
            count: count.unwrap_or_default(),
            resets_in: Duration::from_millis(remaining_ms.unwrap_or_default()),
        })
    }

    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError> {
        let refund = evalsha(&RATE_LIMIT_REFUND, &[self.keys.rate_limit(key)]);
        self.redis.query(&refund).await
    }
}
