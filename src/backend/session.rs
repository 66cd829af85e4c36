//! Starts sessions of new services on a backend, and sends service-specific requests to them.

use bytes::Bytes;

use super::{
    BackendError, Backends,
    definition::{BackendDefinition, BackendKind},
    exchange::{BackendResponse, Failure},
    ors::Ors,
    request::{BackendRequest, RequestContext},
    response,
};
use crate::model::BackendSession;

/// The result of a create on a backend.
pub(crate) struct StartedSession {
    /// The session to store, if later requests need it.
    pub(crate) session: Option<BackendSession>,
    /// The response to the client. If it is `None`, [`BackendDefinition::begin_session`] returns it.
    pub(crate) response: Option<String>,
}

impl BackendDefinition {
    /// Starts the session of a new service on a backend.
    ///
    /// # Errors
    /// [`BackendError::Unreachable`] or [`BackendError::Timeout`];
    /// [`BackendError::InvalidParameter`] if a template cannot be expanded.
    pub(crate) async fn start(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
    ) -> Result<StartedSession, BackendError> {
        let session = |backend: &str, name: String| BackendSession {
            definition: context.definition.to_owned(),
            backend: backend.to_owned(),
            name,
        };
        match &self.kind {
            BackendKind::Ors(ors) => {
                let request = ors.start_request(context, &self.headers);
                let (base, response) = self.send_to_any(backends, None, &request).await?;
                let name = response::parse_session_name(&response.body);
                let name = name.ok_or_else(|| {
                    self.invalid_response(&response, "which contains no session name")
                })?;
                Ok(StartedSession {
                    session: Some(session(base, name)),
                    response: None,
                })
            }
            BackendKind::Http(http) => {
                let request = http.create.build_request(context, "", &self.headers)?;
                let own = http.create.template.base.as_deref();
                let (base, response) = self.send_to_any(backends, own, &request).await?;
                let object = self.create_response(&response, context)?;
                let name = match &http.session {
                    None => String::new(),
                    Some(member) => {
                        let text = std::str::from_utf8(&response.body).unwrap_or_default();
                        response::session_name_in_member(text, member).ok_or_else(|| {
                            self.invalid_response(
                                &response,
                                &format!("whose {member:?} is not a session name"),
                            )
                        })?
                    }
                };
                Ok(StartedSession {
                    session: http.needs_session().then(|| session(base, name)),
                    response: Some(object),
                })
            }
        }
    }

    /// Begins the execution of a started session. Returns the response to the create.
    ///
    /// # Errors
    /// As [`BackendDefinition::start`].
    pub(crate) async fn begin_session(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
        session: &BackendSession,
    ) -> Result<String, BackendError> {
        let request = Ors::begin_request(context, &session.name, &self.headers);
        let response = self.send_to(backends, &session.backend, &request).await?;
        self.create_response(&response, context)
    }

    /// Sends a service-specific request to the backend of a service. Returns the JSON of the response.
    ///
    /// # Errors
    /// As [`BackendDefinition::start`]; [`BackendError::UnsupportedRequest`] for unsupported requests.
    pub(crate) async fn send_request(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
        session: Option<&BackendSession>,
    ) -> Result<Bytes, BackendError> {
        let unknown = || BackendError::UnsupportedRequest {
            request: context.request.to_owned(),
            definition: context.definition.to_owned(),
            supported: self.supported_requests(),
        };
        let name = session.map_or("", |session| session.name.as_str());
        let (own, request) = match &self.kind {
            BackendKind::Ors(_) => (None, Ors::service_request(context, name, &self.headers)),
            BackendKind::Http(http) => {
                let rule = http.rule_for(context.request).ok_or_else(unknown)?;
                let request = rule.build_request(context, name, &self.headers)?;
                (rule.template.base.as_deref(), request)
            }
        };
        // Requests of a session go only to the backend that runs it.
        let base = own.or(session.map(|session| session.backend.as_str()));
        let base = base.ok_or_else(|| {
            let message = format!("service \"{}\" is still starting", context.id);
            BackendError::Unreachable(message)
        })?;
        let response = self.send_to(backends, base, &request).await?;
        response::json_body(&response)
            .ok_or_else(|| self.invalid_response(&response, "which is not JSON"))
    }

    /// Sends a request to the first reachable backend, in the order of the load balancer.
    async fn send_to_any<'a>(
        &'a self,
        backends: &Backends,
        own: Option<&'a str>,
        request: &BackendRequest<'_>,
    ) -> Result<(&'a str, BackendResponse), BackendError> {
        if let Some(base) = own {
            return Ok((base, self.send_to(backends, base, request).await?));
        }
        let mut tried = 0;
        for base in self.load_balancer.in_order() {
            match backends.send(base, request).await {
                Err(Failure::CircuitOpen) => {}
                Err(Failure::ConnectError) => tried += 1,
                other => return Ok((base, self.require_success(other)?)),
            }
            if tried == backends.settings().max_attempts {
                break;
            }
        }
        Err(self.failure_error(Failure::ConnectError))
    }

    async fn send_to(
        &self,
        backends: &Backends,
        base: &str,
        request: &BackendRequest<'_>,
    ) -> Result<BackendResponse, BackendError> {
        self.require_success(backends.send(base, request).await)
    }

    fn require_success(
        &self,
        response: Result<BackendResponse, Failure>,
    ) -> Result<BackendResponse, BackendError> {
        let response = response.map_err(|failure| self.failure_error(failure))?;
        if response.status.is_success() {
            return Ok(response);
        }
        let status = response.status.as_u16();
        let note = if response.status.is_redirection() {
            "; redirects are not followed"
        } else {
            ""
        };
        Err(self.unreachable(&format!(
            "{} responded with {status}{note}",
            self.backend_label()
        )))
    }

    /// The JSON object of the response to a create.
    fn create_response(
        &self,
        response: &BackendResponse,
        context: &RequestContext<'_>,
    ) -> Result<String, BackendError> {
        let json = response::json_body(response)
            .ok_or_else(|| self.invalid_response(response, "which is not JSON"))?;
        let object = response::add_id(&json, context.id);
        object.ok_or_else(|| self.invalid_response(response, "which is not a JSON object"))
    }
}
