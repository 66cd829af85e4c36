//! Idempotency keys in the embedded store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{IdempotencyClaim, IdempotencyKey, ServiceId, StoreError, Timestamp},
    store::IdempotencyStore,
};

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        let mut state = self.state();
        let bound = state.claim(key, id, end);
        let stored = state
            .service(&bound)
            .and_then(|record| record.response.clone());
        Ok(match stored {
            Some(stored) => IdempotencyClaim::Replayed { id: bound, stored },
            None => IdempotencyClaim::Create(bound),
        })
    }
}
