//! Ending sessions of services that are over, when the clean-up says so.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tracing::{debug, warn};

use super::{
    Backends,
    request::{PropagatedHeaders, RequestContext},
};
use crate::{
    service::CurrentCatalog,
    store::{BackendSession, BackendSessions, ServiceId, TerminateResult},
};

/// Ends sessions on the backends of a catalogue.
pub struct SessionTerminator {
    catalog: CurrentCatalog,
    backends: Arc<Backends>,
}

impl SessionTerminator {
    /// For the configured services of `catalog`, and those that were in it.
    #[must_use]
    pub fn new(catalog: CurrentCatalog, backends: Arc<Backends>) -> Self {
        Self { catalog, backends }
    }
}

#[async_trait]
impl BackendSessions for SessionTerminator {
    fn terminate_timeout(&self) -> Duration {
        // The wait for a connection, then the answer; and time to be scheduled.
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
            warn!(id = %id.redacted(), definition, backend, session = name, reason, "a session cannot be ended");
            TerminateResult::Done
        };
        let catalog = self.catalog.load();
        let plan = catalog.get_or_retired(definition);
        if plan.is_none() && catalog.may_exist_elsewhere(definition) {
            return TerminateResult::Retry;
        }
        let Some(plan) = plan.and_then(|definition| definition.backend()) else {
            return give_up("its service is no longer configured, or runs without a backend");
        };
        let trail = PropagatedHeaders::default().with_request_id();
        let about = RequestContext {
            id,
            definition,
            request: "",
            fields: &[],
            template_fields: &[],
            propagated_headers: &trail,
        };
        let (base, call) = match plan.terminate_request(&about, session) {
            None => return TerminateResult::Done,
            Some(Err(error)) => return give_up(&error.to_string()),
            Some(Ok(call)) => call,
        };
        match self.backends.send(base, &call).await {
            Ok(reply) if reply.status.is_success() => TerminateResult::Done,
            // It is not there, for whatever reason.
            Ok(reply) if matches!(reply.status.as_u16(), 404 | 410) => TerminateResult::Done,
            Ok(reply) if reply.status.is_server_error() => TerminateResult::Retry,
            Ok(reply) => give_up(&format!("it answered {}", reply.status.as_u16())),
            // It did answer.
            Err(super::Failure::ResponseTooLarge(_)) => TerminateResult::Done,
            Err(failure) => {
                debug!(id = %id.redacted(), backend, ?failure, "a session is not ended yet");
                TerminateResult::Retry
            }
        }
    }
}
