//! Services that run on a backend: a session on an Orchestration Server (`ors`), or any web service
//! (`http`).
//!
//! A [`Plan`] is what the options of a definition come to: which calls are made when, and which backends
//! may take them. [`Backends`] is the way to them, shared by all workers. What a backend answers is
//! passed on; how it fails is told in one place, [`Plan::failed`].

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};

pub(super) use self::call::About;
use self::{
    call::Call,
    choice::Choice,
    client::{Failure, Reply},
    http::Http,
    ors::Ors,
};
pub use self::{call::Trail, client::Backends, ending::SessionEnder};
use super::ServiceError;
use crate::store::Session;

mod answer;
mod call;
mod choice;
mod circuit;
mod client;
mod ending;
mod http;
mod options;
mod ors;
mod template;

/// An option of a definition that is wrong.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) option: String,
    pub(super) problem: String,
}

impl Wrong {
    fn new(option: &str, problem: String) -> Self {
        let option = option.to_owned();
        Self { option, problem }
    }
}

/// How a configured service runs on a backend.
#[derive(Debug)]
pub(super) struct Plan {
    kind: Kind,
    choice: Choice,
    /// Sent with every call. They may be secret.
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
enum Kind {
    Ors(Ors),
    Http(Box<Http>),
}

/// What a backend made of a create.
pub(super) struct Started {
    /// Where it runs, if that is to be remembered.
    pub(super) session: Option<Session>,
    /// Its answer, if it has given one; else [`Plan::begin`] asks for it.
    pub(super) answer: Option<String>,
}

impl Plan {
    /// The backends that are configured, by their URLs.
    pub(super) fn bases(&self) -> impl Iterator<Item = &str> {
        let own: Vec<&str> = match &self.kind {
            Kind::Ors(_) => Vec::new(),
            Kind::Http(http) => http
                .rules()
                .filter_map(|rule| rule.template.base.as_deref())
                .collect(),
        };
        self.choice.bases().iter().map(String::as_str).chain(own)
    }

    /// How often a create waits for a backend at most: calls that are made one after the other.
    pub(super) fn calls_of_a_create(&self) -> u32 {
        match self.kind {
            Kind::Ors(_) => 2,
            Kind::Http(_) => 1,
        }
    }

    /// Whether a service that runs on it knows a request of this name.
    pub(super) fn knows(&self, request: &str) -> bool {
        match &self.kind {
            Kind::Ors(_) => is_path(request),
            Kind::Http(http) => is_path(request) && http.rule(request).is_some(),
        }
    }

    /// The requests that it knows, in words.
    pub(super) fn known(&self) -> String {
        match &self.kind {
            Kind::Http(http) if http.any.is_none() => {
                let names = http.names().map(|name| format!(", {name:?}"));
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
        about: &About<'_>,
    ) -> Result<Started, ServiceError> {
        let session = |backend: &str, name: String| Session {
            definition: about.definition.to_owned(),
            backend: backend.to_owned(),
            name,
        };
        match &self.kind {
            Kind::Ors(ors) => {
                let call = ors.start(about, &self.headers);
                let (base, reply) = self.send_to_one(backends, None, &call).await?;
                let name = answer::session_name(&reply.body);
                let name = name.ok_or_else(|| self.strange(&reply, "which names no session"))?;
                Ok(Started {
                    session: Some(session(base, name)),
                    answer: None,
                })
            }
            Kind::Http(http) => {
                let call = http.create.call(about, "", &self.headers)?;
                let own = http.create.template.base.as_deref();
                let (base, reply) = self.send_to_one(backends, own, &call).await?;
                let object = self.object(&reply, about)?;
                let name = match &http.session {
                    None => String::new(),
                    Some(member) => {
                        let text = std::str::from_utf8(&reply.body).unwrap_or_default();
                        answer::session_in(text, member).ok_or_else(|| {
                            self.strange(&reply, &format!("whose {member:?} names no session"))
                        })?
                    }
                };
                Ok(Started {
                    session: http.holds_a_session().then(|| session(base, name)),
                    answer: Some(object),
                })
            }
        }
    }

    /// Has a session that was started begin its work; gives the answer of the create.
    ///
    /// # Errors
    /// As [`Plan::start`].
    pub(super) async fn begin(
        &self,
        backends: &Backends,
        about: &About<'_>,
        session: &Session,
    ) -> Result<String, ServiceError> {
        let call = Ors::begin(about, &session.name, &self.headers);
        let reply = self.send_to(backends, &session.backend, &call).await?;
        self.object(&reply, about)
    }

    /// Asks a service-specific request of a running service; gives the answer's JSON.
    ///
    /// # Errors
    /// As [`Plan::start`]; [`ServiceError::NoSuchRequest`] for one that it does not know.
    pub(super) async fn request(
        &self,
        backends: &Backends,
        about: &About<'_>,
        session: Option<&Session>,
    ) -> Result<Bytes, ServiceError> {
        let unknown = || ServiceError::NoSuchRequest {
            request: about.request.to_owned(),
            definition: about.definition.to_owned(),
            known: self.known(),
        };
        let name = session.map_or("", |session| session.name.as_str());
        let (own, call) = match &self.kind {
            Kind::Ors(_) => (None, Ors::request(about, name, &self.headers)),
            Kind::Http(http) => {
                let rule = http.rule(about.request).ok_or_else(unknown)?;
                let call = rule.call(about, name, &self.headers)?;
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
        answer::json(&reply).ok_or_else(|| self.strange(&reply, "which is no JSON"))
    }

    /// Sends a call that any of the backends may take: to one after the other until one is reached.
    async fn send_to_one<'a>(
        &'a self,
        backends: &Backends,
        own: Option<&'a str>,
        call: &Call<'_>,
    ) -> Result<(&'a str, Reply), ServiceError> {
        if let Some(base) = own {
            return Ok((base, self.send_to(backends, base, call).await?));
        }
        let mut tried = 0;
        for base in self.choice.in_turn() {
            match backends.send(base, call).await {
                Err(Failure::NotAsked) => {}
                Err(Failure::NotReached) => tried += 1,
                other => return Ok((base, self.succeeded(other)?)),
            }
            if tried == backends.settings().max_attempts {
                break;
            }
        }
        Err(self.failed(Failure::NotReached))
    }

    async fn send_to(
        &self,
        backends: &Backends,
        base: &str,
        call: &Call<'_>,
    ) -> Result<Reply, ServiceError> {
        self.succeeded(backends.send(base, call).await)
    }

    fn succeeded(&self, reply: Result<Reply, Failure>) -> Result<Reply, ServiceError> {
        let reply = reply.map_err(|failure| self.failed(failure))?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let status = reply.status.as_u16();
        let followed = if reply.status.is_redirection() {
            "; redirects are not followed"
        } else {
            ""
        };
        Err(self.wrong(&format!("{} answered {status}{followed}", self.whom())))
    }

    /// The object that a create is answered with.
    fn object(&self, reply: &Reply, about: &About<'_>) -> Result<String, ServiceError> {
        let json = answer::json(reply).ok_or_else(|| self.strange(reply, "which is no JSON"))?;
        let object = answer::with_id(&json, about.id);
        object.ok_or_else(|| self.strange(reply, "which is no JSON object"))
    }

    /// The error for an answer that is not what it should be: its status and type, never its body.
    fn strange(&self, reply: &Reply, what: &str) -> ServiceError {
        let status = reply.status.as_u16();
        let kind = &reply.content_type;
        self.wrong(&format!(
            "{} answered {status} with {kind:?}, {what}",
            self.whom()
        ))
    }

    /// The error for an answer that never came.
    fn failed(&self, failure: Failure) -> ServiceError {
        const UNKNOWN: &str = "whether it did what was asked is not known";
        let whom = self.whom();
        match failure {
            Failure::NotAsked | Failure::NotReached => {
                self.wrong(&format!("cannot connect to {whom}"))
            }
            Failure::TimedOut(patience) => {
                let patience = patience.as_millis();
                let message = format!("{whom} did not answer within {patience} ms; {UNKNOWN}");
                ServiceError::BackendTimeout(self.message(&message))
            }
            Failure::Broken => self.wrong(&format!(
                "{whom} broke off before its answer was complete; {UNKNOWN}"
            )),
            Failure::TooLong(limit) => self.wrong(&format!(
                "the answer of {whom} is over {limit} bytes (backend.answer_bytes)"
            )),
        }
    }

    fn wrong(&self, what: &str) -> ServiceError {
        ServiceError::BackendUnreachable(self.message(what))
    }

    fn message(&self, what: &str) -> String {
        match self.kind {
            Kind::Ors(_) => format!("ORS request failed: {what}"),
            Kind::Http(_) => format!("HTTP request failed: {what}"),
        }
    }

    fn whom(&self) -> &'static str {
        match self.kind {
            Kind::Ors(_) => "ORS",
            Kind::Http(_) => "the backend",
        }
    }

    /// The call that ends a session, and where to; `None` where that needs none.
    fn end<'a>(
        &'a self,
        about: &About<'a>,
        session: &'a Session,
    ) -> Option<Result<(&'a str, Call<'a>), ServiceError>> {
        let (name, backend) = (session.name.as_str(), session.backend.as_str());
        match &self.kind {
            Kind::Ors(_) => Some(Ok((backend, Ors::end(name, &self.headers, about.trail)))),
            Kind::Http(http) => {
                let rule = http.terminate.as_ref()?;
                let base = rule.template.base.as_deref().unwrap_or(backend);
                Some(
                    rule.call(about, name, &self.headers)
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
type Options = BTreeMap<String, String>;
