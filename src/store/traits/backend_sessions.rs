//! The backend sessions of services.

use async_trait::async_trait;

use crate::model::{BackendSession, RunningService, ServiceId, StoreError};

/// The store of the backend sessions of services.
#[async_trait]
pub trait BackendSessionStore: Send + Sync {
    /// Returns the definition and the backend session of a service.
    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError>;

    /// Records the backend session of a service; the cleanup calls [`terminate`](crate::store::BackendSessions::terminate) for it
    /// after the end of the service. Returns `None` and records nothing if there is no such service.
    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError>;
}
