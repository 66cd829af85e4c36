//! Rate limit counters.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{RateLimitKey, RateLimitState, StoreError};

/// The store of rate limit counters.
#[async_trait]
pub trait RateLimitStore: Send + Sync {
    /// Increments the counter of `key`, unless it has reached `max`. A counter expires `window` after
    /// its first increment.
    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError>;

    /// Reads the counter of `key`. Nothing changes.
    async fn rate_limit_state(&self, key: &RateLimitKey) -> Result<RateLimitState, StoreError>;

    /// Decrements a counter; does nothing if it has expired.
    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError>;
}
