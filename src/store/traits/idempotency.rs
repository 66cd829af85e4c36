//! Idempotency keys.

use async_trait::async_trait;

use crate::model::{IdempotencyClaim, IdempotencyKey, ServiceId, StoreError, Timestamp};

/// The store of idempotency keys.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Binds `key` to `id` until `end`, unless it is bound already, and returns how to proceed.
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError>;
}
