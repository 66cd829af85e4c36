//! The storage of services and storage areas: strings by key.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Changes, KeyName, ReadAll, ServiceId, StorageRead, StoreError, StoredKind, WriteCondition,
    WriteResult,
};

/// The store of the keys of services. Each change of the keys of a storage gives it a new
/// [`Revision`](crate::model::Revision); a change of its expiration time does not.
#[async_trait]
pub trait StorageStore: Send + Sync {
    /// Reads one string.
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError>;

    /// Reads a whole storage at one time. Values that the reader knows are not transferred.
    async fn read_all(
        &self,
        id: &ServiceId,
        read: &ReadAll,
    ) -> Result<Option<StorageRead>, StoreError>;

    /// Applies all `changes` atomically, if their condition is met. With a `ttl`, which is only for storage areas, the
    /// storage then expires after it, with all its resources; without one the expiration time does not change.
    async fn write(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
    ) -> Result<WriteResult, StoreError>;

    /// Announces that the storages `ids` are watched for `ttl`: until then, each change of their keys sends the signal
    /// [`storage_signal_id`](crate::model::storage_signal_id). Changes of other storages send none.
    async fn watch(&self, ids: &[ServiceId], ttl: Duration) -> Result<(), StoreError>;

    /// Removes all keys of the storage, if the condition is met.
    async fn clear(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError>;

    /// Deletes a storage area as [`ServiceStore::delete`](super::ServiceStore::delete) does, if the condition is met.
    /// The returned revision is the last one.
    async fn delete_area(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError>;
}
