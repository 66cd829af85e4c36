//! The storage of services and storage areas: strings by key.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{AllTexts, Changes, KeyName, ServiceId, StoreError, StoredKind, WriteResult};

/// The store of the keys of services.
#[async_trait]
pub trait StorageStore: Send + Sync {
    /// Reads one string.
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError>;

    /// Reads all strings, in no particular order.
    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError>;

    /// Applies all `changes` atomically. With a `ttl`, which is only for storage areas, the storage then expires after
    /// it, with all its resources; without one the expiration time does not change.
    async fn write(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
    ) -> Result<WriteResult, StoreError>;

    /// Removes all keys of the storage. Returns `None` if there is no such service.
    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;
}
