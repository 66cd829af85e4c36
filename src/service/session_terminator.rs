//! Terminates backend sessions of ended services, driven by the cleanup of the store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::CurrentCatalog;
use crate::{
    backend::{Backends, log_not_terminated},
    model::{BackendSession, ServiceId, TerminateResult},
    store::BackendSessions,
};

/// Terminates sessions on the backends of a catalog.
pub struct SessionTerminator {
    catalog: CurrentCatalog,
    backends: Arc<Backends>,
}

impl SessionTerminator {
    /// A terminator for the configured and retired services of `catalog`.
    #[must_use]
    pub fn new(catalog: CurrentCatalog, backends: Arc<Backends>) -> Self {
        Self { catalog, backends }
    }
}

#[async_trait]
impl BackendSessions for SessionTerminator {
    fn terminate_timeout(&self) -> Duration {
        self.backends.terminate_timeout()
    }

    async fn terminate(&self, id: &ServiceId, session: &BackendSession) -> TerminateResult {
        let catalog = self.catalog.load();
        let service = catalog.get_or_retired(&session.definition);
        if service.is_none() && catalog.may_exist_elsewhere(&session.definition) {
            return TerminateResult::Retry;
        }
        let Some(backend) = service.and_then(|definition| definition.backend()) else {
            let reason = "its service is no longer configured or has no backend";
            log_not_terminated(id, session, reason);
            return TerminateResult::Done;
        };
        backend.terminate(&self.backends, id, session).await
    }
}
