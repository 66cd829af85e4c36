//! Services that run on a backend: a session on an Orchestration Server (`ors`), or any web service
//! (`http`).
//!
//! A [`BackendDefinition`] is what the options of a definition come to: which calls are made when, and which backends
//! may take them. [`Backends`] is the way to them, shared by all workers. What a backend answers is
//! passed on; how it fails is told in one place, [`BackendDefinition::failed`].

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
use crate::store::BackendSession;

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

/// An option of a definition that is wrong.
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

/// How a configured service runs on a backend.
#[derive(Debug)]
pub(super) struct BackendDefinition {
    kind: BackendKind,
    load_balancer: LoadBalancer,
    /// Sent with every call. They may be secret.
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum BackendKind {
    Ors(Ors),
    Http(Box<Http>),
}

/// What a backend made of a create.
pub(super) struct StartedSession {
    /// Where it runs, if that is to be remembered.
    pub(super) session: Option<BackendSession>,
    /// Its answer, if it has given one; else [`BackendDefinition::begin`] asks for it.
    pub(super) response: Option<String>,
}

impl BackendDefinition {
    /// The backends that are configured, by their URLs.
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

    /// How often a create waits for a backend at most: calls that are made one after the other.
    pub(super) fn requests_per_create(&self) -> u32 {
        match self.kind {
            BackendKind::Ors(_) => 2,
            BackendKind::Http(_) => 1,
        }
    }

    /// Whether a service that runs on it knows a request of this name.
    pub(super) fn supports_request(&self, request: &str) -> bool {
        match &self.kind {
            BackendKind::Ors(_) => is_path(request),
            BackendKind::Http(http) => is_path(request) && http.rule_for(request).is_some(),
        }
    }

    /// The requests that it knows, in words.
    pub(super) fn supported_requests(&self) -> String {
        match &self.kind {
            BackendKind::Http(http) if http.default_rule.is_none() => {
                let names = http.request_names().map(|name| format!(", {name:?}"));
                format!("\"update\"{}", names.collect::<String>())
            }
            _ => "those whose path has no segment that is empty, \".\" or \"..\"".to_owned(),
        }
    }

    /// Has a backend start what the service is.
    ///
    /// # Errors
    /// [`ServiceError::BackendUnreachable`] or [`ServiceError::BackendTimeout`];
    /// [`ServiceError::InvalidParameter`] where a template cannot be filled.
    pub(super) async fn start(
        &self,
        backends: &Backends,
        about: &RequestContext<'_>,
    ) -> Result<StartedSession, ServiceError> {
        let session = |backend: &str, name: String| BackendSession {
            definition: about.definition.to_owned(),
            backend: backend.to_owned(),
            name,
        };
        match &self.kind {
            BackendKind::Ors(ors) => {
                let call = ors.start_request(about, &self.headers);
                let (base, reply) = self.send_to_any(backends, None, &call).await?;
                let name = response::parse_session_name(&reply.body);
                let name =
                    name.ok_or_else(|| self.invalid_response(&reply, "which names no session"))?;
                Ok(StartedSession {
                    session: Some(session(base, name)),
                    response: None,
                })
            }
            BackendKind::Http(http) => {
                let call = http.create.build_request(about, "", &self.headers)?;
                let own = http.create.template.base.as_deref();
                let (base, reply) = self.send_to_any(backends, own, &call).await?;
                let object = self.create_response(&reply, about)?;
                let name = match &http.session {
                    None => String::new(),
                    Some(member) => {
                        let text = std::str::from_utf8(&reply.body).unwrap_or_default();
                        response::session_name_in_member(text, member).ok_or_else(|| {
                            self.invalid_response(
                                &reply,
                                &format!("whose {member:?} names no session"),
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

    /// Has a session that was started begin its work; gives the answer of the create.
    ///
    /// # Errors
    /// As [`BackendDefinition::start`].
    pub(super) async fn begin_session(
        &self,
        backends: &Backends,
        about: &RequestContext<'_>,
        session: &BackendSession,
    ) -> Result<String, ServiceError> {
        let call = Ors::begin_request(about, &session.name, &self.headers);
        let reply = self.send_to(backends, &session.backend, &call).await?;
        self.create_response(&reply, about)
    }

    /// Asks a service-specific request of a running service; gives the answer's JSON.
    ///
    /// # Errors
    /// As [`BackendDefinition::start`]; [`ServiceError::NoSuchRequest`] for one that it does not know.
    pub(super) async fn send_request(
        &self,
        backends: &Backends,
        about: &RequestContext<'_>,
        session: Option<&BackendSession>,
    ) -> Result<Bytes, ServiceError> {
        let unknown = || ServiceError::NoSuchRequest {
            request: about.request.to_owned(),
            definition: about.definition.to_owned(),
            supported: self.supported_requests(),
        };
        let name = session.map_or("", |session| session.name.as_str());
        let (own, call) = match &self.kind {
            BackendKind::Ors(_) => (None, Ors::service_request(about, name, &self.headers)),
            BackendKind::Http(http) => {
                let rule = http.rule_for(about.request).ok_or_else(unknown)?;
                let call = rule.build_request(about, name, &self.headers)?;
                (rule.template.base.as_deref(), call)
            }
        };
        // A session's requests go to the backend that holds it, and to no other.
        let base = own.or(session.map(|session| session.backend.as_str()));
        let base = base.ok_or_else(|| {
            let message = format!("service \"{}\" is still being started", about.id);
            ServiceError::BackendUnreachable(message)
        })?;
        let reply = self.send_to(backends, base, &call).await?;
        response::json_body(&reply).ok_or_else(|| self.invalid_response(&reply, "which is no JSON"))
    }

    /// Sends a call that any of the backends may take: to one after the other until one is reached.
    async fn send_to_any<'a>(
        &'a self,
        backends: &Backends,
        own: Option<&'a str>,
        call: &BackendRequest<'_>,
    ) -> Result<(&'a str, BackendResponse), ServiceError> {
        if let Some(base) = own {
            return Ok((base, self.send_to(backends, base, call).await?));
        }
        let mut tried = 0;
        for base in self.load_balancer.in_order() {
            match backends.send(base, call).await {
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
        call: &BackendRequest<'_>,
    ) -> Result<BackendResponse, ServiceError> {
        self.require_success(backends.send(base, call).await)
    }

    fn require_success(
        &self,
        reply: Result<BackendResponse, Failure>,
    ) -> Result<BackendResponse, ServiceError> {
        let reply = reply.map_err(|failure| self.failure_error(failure))?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let status = reply.status.as_u16();
        let followed = if reply.status.is_redirection() {
            "; redirects are not followed"
        } else {
            ""
        };
        Err(self.unreachable(&format!(
            "{} answered {status}{followed}",
            self.backend_label()
        )))
    }

    /// The object that a create is answered with.
    fn create_response(
        &self,
        reply: &BackendResponse,
        about: &RequestContext<'_>,
    ) -> Result<String, ServiceError> {
        let json = response::json_body(reply)
            .ok_or_else(|| self.invalid_response(reply, "which is no JSON"))?;
        let object = response::add_id(&json, about.id);
        object.ok_or_else(|| self.invalid_response(reply, "which is no JSON object"))
    }

    /// The error for an answer that is not what it should be: its status and type, never its body.
    fn invalid_response(&self, reply: &BackendResponse, what: &str) -> ServiceError {
        let status = reply.status.as_u16();
        let kind = &reply.content_type;
        self.unreachable(&format!(
            "{} answered {status} with {kind:?}, {what}",
            self.backend_label()
        ))
    }

    /// The error for an answer that never came.
    fn failure_error(&self, failure: Failure) -> ServiceError {
        const UNKNOWN: &str = "whether it did what was asked is not known";
        let whom = self.backend_label();
        match failure {
            Failure::CircuitOpen | Failure::ConnectError => {
                self.unreachable(&format!("cannot connect to {whom}"))
            }
            Failure::TimedOut(patience) => {
                let patience = patience.as_millis();
                let message = format!("{whom} did not answer within {patience} ms; {UNKNOWN}");
                ServiceError::BackendTimeout(self.message(&message))
            }
            Failure::ConnectionError => self.unreachable(&format!(
                "{whom} broke off before its answer was complete; {UNKNOWN}"
            )),
            Failure::ResponseTooLarge(limit) => self.unreachable(&format!(
                "the answer of {whom} is over {limit} bytes (backend.max_response_bytes)"
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

    /// The call that ends a session, and where to; `None` where that needs none.
    fn terminate_request<'a>(
        &'a self,
        about: &RequestContext<'a>,
        session: &'a BackendSession,
    ) -> Option<Result<(&'a str, BackendRequest<'a>), ServiceError>> {
        let (name, backend) = (session.name.as_str(), session.backend.as_str());
        match &self.kind {
            BackendKind::Ors(_) => Some(Ok((
                backend,
                Ors::terminate_request(name, &self.headers, about.propagated_headers),
            ))),
            BackendKind::Http(http) => {
                let rule = http.terminate.as_ref()?;
                let base = rule.template.base.as_deref().unwrap_or(backend);
                Some(
                    rule.build_request(about, name, &self.headers)
                        .map(|call| (base, call)),
                )
            }
        }
    }
}

/// Whether a request's name may be a path: segments that are not empty and do not climb.
fn is_path(request: &str) -> bool {
    request
        .split('/')
        .all(|segment| !matches!(segment, "" | "." | ".."))
}

/// What [`options`] reads.
type BackendOptions = BTreeMap<String, String>;
