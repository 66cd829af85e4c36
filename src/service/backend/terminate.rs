//! Terminates backend sessions of ended services, driven by the cleanup.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tracing::{debug, warn};

use super::{
    Backends,
    request::{PropagatedHeaders, RequestContext},
};
use crate::{
    model::{BackendSession, ServiceId, TerminateResult},
    service::CurrentCatalog,
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
        // The connect and response timeouts, and a margin for scheduling.
        let settings = self.backends.settings();
        settings.connect_timeout + settings.response_timeout + Duration::from_secs(1)
    }

    async fn terminate(&self, id: &ServiceId, session: &BackendSession) -> TerminateResult {
        let BackendSession {
            definition,
            backend,
            name,
        } = session;
        let give_up = |reason: &str| {
            warn!(id = %id.redacted(), definition, backend, session = name, reason, "backend session not terminated");
            TerminateResult::Done
        };
        let catalog = self.catalog.load();
        let service = catalog.get_or_retired(definition);
        if service.is_none() && catalog.may_exist_elsewhere(definition) {
            return TerminateResult::Retry;
        }
        let Some(backend_definition) = service.and_then(|definition| definition.backend()) else {
            return give_up("its service is no longer configured or has no backend");
        };
        let propagated_headers = PropagatedHeaders::default().with_request_id();
        let context = RequestContext {
            id,
            definition,
            request: "",
            fields: &[],
            template_fields: &[],
            propagated_headers: &propagated_headers,
        };
        let (base, request) = match backend_definition.terminate_request(&context, session) {
            None => return TerminateResult::Done,
            Some(Err(error)) => return give_up(&error.to_string()),
            Some(Ok(request)) => request,
        };
        match self.backends.send(base, &request).await {
            Ok(response) if response.status.is_success() => TerminateResult::Done,
            // The session does not exist.
            Ok(response) if matches!(response.status.as_u16(), 404 | 410) => TerminateResult::Done,
            Ok(response) if response.status.is_server_error() => TerminateResult::Retry,
            Ok(response) => give_up(&format!(
                "the backend responded with {}",
                response.status.as_u16()
            )),
            // The backend responded, so the session is terminated.
            Err(super::Failure::ResponseTooLarge(_)) => TerminateResult::Done,
            Err(failure) => {
                debug!(id = %id.redacted(), backend, ?failure, "backend session not terminated yet");
                TerminateResult::Retry
            }
        }
    }
}
