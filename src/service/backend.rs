//! Services on a backend: sessions on an Orchestration Server (`ors`), or any web service (`http`).
//!
//! A [`BackendDefinition`] is parsed from the options of a definition: which requests are sent when, and to which
//! backends. [`Backends`] is the HTTP client, shared by all workers. Responses of backends are passed through;
//! failures become errors in [`BackendDefinition::failure_error`].

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};

pub(super) use self::request::RequestContext;
pub use self::{
    client::Backends,
    request::{GMS_USER, PropagatedHeaders, REQUEST_ID, TRACEPARENT, TRACESTATE},
    terminate::SessionTerminator,
};
use self::{
    client::{BackendResponse, Failure},
    http::Http,
    load_balancer::LoadBalancer,
    ors::Ors,
    request::BackendRequest,
};
use super::ServiceError;
use crate::model::BackendSession;

mod circuit_breaker;
mod client;
mod http;
mod load_balancer;
mod options;
mod ors;
mod request;
mod response;
mod terminate;
mod url_template;

/// An invalid option of a definition.
#[derive(Debug)]
pub(super) struct OptionError {
    pub(super) option: String,
    pub(super) problem: String,
}

impl OptionError {
    fn new(option: &str, problem: String) -> Self {
        let option = option.to_owned();
        Self { option, problem }
    }
}

/// The backend configuration of a configured service.
#[derive(Debug)]
pub(super) struct BackendDefinition {
    kind: BackendKind,
    load_balancer: LoadBalancer,
    /// Headers of every request. They can contain secrets.
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum BackendKind {
    Ors(Ors),
    Http(Box<Http>),
}

/// The result of a create on a backend.
pub(super) struct StartedSession {
    /// The session to store, if later requests need it.
    pub(super) session: Option<BackendSession>,
    /// The response to the client. If it is `None`, [`BackendDefinition::begin_session`] returns it.
    pub(super) response: Option<String>,
}

impl BackendDefinition {
    /// The base URLs of the configured backends.
    pub(super) fn base_urls(&self) -> impl Iterator<Item = &str> {
        let own: Vec<&str> = match &self.kind {
            BackendKind::Ors(_) => Vec::new(),
            BackendKind::Http(http) => http
                .rules()
                .filter_map(|rule| rule.template.base.as_deref())
                .collect(),
        };
        self.load_balancer
            .base_urls()
            .iter()
            .map(String::as_str)
            .chain(own)
    }

    /// The number of sequential backend requests per create.
    pub(super) fn requests_per_create(&self) -> u32 {
        match self.kind {
            BackendKind::Ors(_) => 2,
            BackendKind::Http(_) => 1,
        }
    }

    /// Whether a service-specific request of this name is supported.
    pub(super) fn supports_request(&self, request: &str) -> bool {
        match &self.kind {
            BackendKind::Ors(_) => is_path(request),
            BackendKind::Http(http) => is_path(request) && http.rule_for(request).is_some(),
        }
    }

    /// The supported requests, for messages.
    pub(super) fn supported_requests(&self) -> String {
        match &self.kind {
            BackendKind::Http(http) if http.default_rule.is_none() => {
                let names = http.request_names().map(|name| format!(", {name:?}"));
                format!("\"update\"{}", names.collect::<String>())
            }
            _ => "any path without segments that are empty, \".\" or \"..\"".to_owned(),
        }
    }

    /// Starts the session of a new service on a backend.
    ///
    /// # Errors
    /// [`ServiceError::BackendUnreachable`] or [`ServiceError::BackendTimeout`];
    /// [`ServiceError::InvalidParameter`] if a template cannot be expanded.
    pub(super) async fn start(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
    ) -> Result<StartedSession, ServiceError> {
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
    pub(super) async fn begin_session(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
        session: &BackendSession,
    ) -> Result<String, ServiceError> {
        let request = Ors::begin_request(context, &session.name, &self.headers);
        let response = self.send_to(backends, &session.backend, &request).await?;
        self.create_response(&response, context)
    }

    /// Sends a service-specific request to the backend of a service. Returns the JSON of the response.
    ///
    /// # Errors
    /// As [`BackendDefinition::start`]; [`ServiceError::NoSuchRequest`] for unsupported requests.
    pub(super) async fn send_request(
        &self,
        backends: &Backends,
        context: &RequestContext<'_>,
        session: Option<&BackendSession>,
    ) -> Result<Bytes, ServiceError> {
        let unknown = || ServiceError::NoSuchRequest {
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
            ServiceError::BackendUnreachable(message)
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
    ) -> Result<(&'a str, BackendResponse), ServiceError> {
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
    ) -> Result<BackendResponse, ServiceError> {
        self.require_success(backends.send(base, request).await)
    }

    fn require_success(
        &self,
        response: Result<BackendResponse, Failure>,
    ) -> Result<BackendResponse, ServiceError> {
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
    ) -> Result<String, ServiceError> {
        let json = response::json_body(response)
            .ok_or_else(|| self.invalid_response(response, "which is not JSON"))?;
        let object = response::add_id(&json, context.id);
        object.ok_or_else(|| self.invalid_response(response, "which is not a JSON object"))
    }

    /// The error for an invalid response. It contains the status and content type, never the body.
    fn invalid_response(&self, response: &BackendResponse, what: &str) -> ServiceError {
        let status = response.status.as_u16();
        let kind = &response.content_type;
        self.unreachable(&format!(
            "{} responded with {status} and {kind:?}, {what}",
            self.backend_label()
        ))
    }

    /// The error for a missing or incomplete response.
    fn failure_error(&self, failure: Failure) -> ServiceError {
        const UNKNOWN: &str = "it is unknown whether the request took effect";
        let backend = self.backend_label();
        match failure {
            Failure::CircuitOpen | Failure::ConnectError => {
                self.unreachable(&format!("cannot connect to {backend}"))
            }
            Failure::TimedOut(timeout) => {
                let timeout = timeout.as_millis();
                let message = format!("{backend} did not respond within {timeout} ms; {UNKNOWN}");
                ServiceError::BackendTimeout(self.message(&message))
            }
            Failure::ConnectionError => self.unreachable(&format!(
                "{backend} closed the connection before its response was complete; {UNKNOWN}"
            )),
            Failure::ResponseTooLarge(limit) => self.unreachable(&format!(
                "the response of {backend} exceeds {limit} bytes (backend.max_response_bytes)"
            )),
        }
    }

    fn unreachable(&self, what: &str) -> ServiceError {
        ServiceError::BackendUnreachable(self.message(what))
    }

    fn message(&self, what: &str) -> String {
        match self.kind {
            BackendKind::Ors(_) => format!("ORS request failed: {what}"),
            BackendKind::Http(_) => format!("HTTP request failed: {what}"),
        }
    }

    fn backend_label(&self) -> &'static str {
        match self.kind {
            BackendKind::Ors(_) => "ORS",
            BackendKind::Http(_) => "the backend",
        }
    }

    /// The request that terminates a session, and its base URL; `None` if none is needed.
    fn terminate_request<'a>(
        &'a self,
        context: &RequestContext<'a>,
        session: &'a BackendSession,
    ) -> Option<Result<(&'a str, BackendRequest<'a>), ServiceError>> {
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

/// Whether the name of a request is a valid path: no segment is empty, `.` or `..`.
fn is_path(request: &str) -> bool {
    request
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."))
}

/// The options that [`options`] parses.
type BackendOptions = BTreeMap<String, String>;
