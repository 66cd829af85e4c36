//! Rate limit counters in the embedded store.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{RateLimitKey, RateLimitState, StoreError},
    store::RateLimitStore,
};

#[async_trait]
impl RateLimitStore for MemoryStore {
    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        let now = self.clock.now();
        self.state().rate_limits.take(key, max, window, now)
    }

    async fn rate_limit_state(&self, key: &RateLimitKey) -> Result<RateLimitState, StoreError> {
        let now = self.clock.now();
        Ok(self.state().rate_limits.get(key, now))
    }

    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError> {
        self.state().rate_limits.refund(key);
        Ok(())
    }
}
