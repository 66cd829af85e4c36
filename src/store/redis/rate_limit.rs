//! Counts: numbers that end by themselves.

use std::time::Duration;

use super::{
    RedisStore, millis,
    scripts::{RATE_LIMIT_REFUND, RATE_LIMIT_TAKE, evalsha},
};
use crate::store::{RateLimitKey, RateLimitState, StoreError};

impl RedisStore {
    pub(super) async fn rate_limit_take(
        &self,
        tally: &RateLimitKey,
        most: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        let mut count = evalsha(&RATE_LIMIT_TAKE, &[self.keys.rate_limit(tally)]);
        count.arg(millis(window)).arg(most);
        let (times, left): (u64, u64) = self.redis.query(&count).await?;
        Ok(RateLimitState {
            count: times,
            resets_in: Duration::from_millis(left),
        })
    }

    pub(super) async fn rate_limit_refund(&self, tally: &RateLimitKey) -> Result<(), StoreError> {
        let uncount = evalsha(&RATE_LIMIT_REFUND, &[self.keys.rate_limit(tally)]);
        self.redis.query(&uncount).await
    }
}
