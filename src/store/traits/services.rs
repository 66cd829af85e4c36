//! Services: create, expiration and delete.

use async_trait::async_trait;

use crate::model::{CreateResult, Description, NewService, ServiceId, StoreError, Timestamp};

/// The store of services.
#[async_trait]
pub trait ServiceStore: Send + Sync {
    /// Creates a service with all its data, including binaries.
    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError>;

    /// Returns the name of the configured service of `id`; `None` if there is no such service.
    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError>;

    /// Returns the metadata of a service.
    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError>;

    /// Changes the expiration time of the service and of all its resources. Returns `None` if there is
    /// no such service.
    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError>;

    /// Completes the create of a service that was created with a short TTL: sets its final `end` and, if
    /// it has an idempotency key, the value stored for repeated creates. Returns `None` if there is no
    /// such service.
    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError>;

    /// Deletes the service. No later operation finds it. Returns `None` if there is no such service.
    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;
}
