//! Terminates the backend session of a service that has ended.

use std::time::Duration;

use tracing::{debug, warn};

use super::{
    BackendError, Backends,
    definition::{BackendDefinition, BackendKind},
    exchange::{BackendResponse, Failure},
    ors::Ors,
    request::{BackendRequest, RequestContext},
};
use crate::model::{BackendSession, PropagatedHeaders, ServiceId, TerminateResult};

/// Added to the time limits of a request, for scheduling.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(1);

impl Backends {
    /// The maximum duration of [`BackendDefinition::terminate`].
    pub(crate) fn terminate_timeout(&self) -> Duration {
        let settings = self.settings();
        settings.connect_timeout + settings.response_timeout + TIMEOUT_MARGIN
    }
}

impl BackendDefinition {
    /// Terminates the session of the service `id`, which has ended.
    pub(crate) async fn terminate(
        &self,
        backends: &Backends,
        id: &ServiceId,
        session: &BackendSession,
    ) -> TerminateResult {
        let propagated_headers = PropagatedHeaders::default().with_request_id();
        let context = RequestContext {
            id,
            definition: &session.definition,
            request: "",
            fields: &[],
            template_fields: &[],
            propagated_headers: &propagated_headers,
        };
        let response = match self.terminate_request(&context, session) {
            None => return TerminateResult::Done,
            Some(Err(error)) => {
                log_not_terminated(id, session, &error.to_string());
                return TerminateResult::Done;
            }
            Some(Ok((base, request))) => backends.send(base, &request).await,
        };
        terminate_result(response, id, session)
    }

    /// The request that terminates a session, and its base URL; `None` if none is needed.
    fn terminate_request<'a>(
        &'a self,
        context: &RequestContext<'a>,
        session: &'a BackendSession,
    ) -> Option<Result<(&'a str, BackendRequest<'a>), BackendError>> {
        let (name, backend) = (session.name.as_str(), session.backend.as_str());
        match &self.kind {
            BackendKind::Ors(_) => Some(Ok((
                backend,
                Ors::terminate_request(name, &self.headers, context.propagated_headers),
            ))),
            BackendKind::Http(http) => {
                let rule = http.terminate.as_ref()?;
                let base = rule.template.base.as_deref().unwrap_or(backend);
                Some(
                    rule.build_request(context, name, &self.headers)
                        .map(|request| (base, request)),
                )
            }
        }
    }
}

fn terminate_result(
    response: Result<BackendResponse, Failure>,
    id: &ServiceId,
    session: &BackendSession,
) -> TerminateResult {
    match response {
        Ok(response) if response.status.is_success() => TerminateResult::Done,
        // The session does not exist.
        Ok(response) if matches!(response.status.as_u16(), 404 | 410) => TerminateResult::Done,
        Ok(response) if response.status.is_server_error() => TerminateResult::Retry,
        Ok(response) => {
            let status = response.status.as_u16();
            log_not_terminated(id, session, &format!("the backend responded with {status}"));
            TerminateResult::Done
        }
        // The backend responded, so the session is terminated.
        Err(Failure::ResponseTooLarge(_)) => TerminateResult::Done,
        Err(failure) => {
            debug!(id = %id.redacted(), backend = session.backend, ?failure, "backend session not terminated yet");
            TerminateResult::Retry
        }
    }
}

/// Logs that a session is not terminated, and will not be.
pub(crate) fn log_not_terminated(id: &ServiceId, session: &BackendSession, reason: &str) {
    let BackendSession {
        definition,
        backend,
        name,
    } = session;
    warn!(id = %id.redacted(), definition, backend, session = name, reason, "backend session not terminated");
}
