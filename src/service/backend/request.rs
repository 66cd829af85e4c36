//! One request to a backend, as it is sent.

use bytes::Bytes;
use hyper::{
    Method,
    header::{
        ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::store::ServiceId;

/// The header that names the user of a client.
pub const GMS_USER: &str = "gms_user";
/// The header of the trace and the parent span of a request (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";
/// The header of the vendor-specific trace state (W3C Trace Context).
pub const TRACESTATE: &str = "tracestate";
/// The header of the request id that the client has chosen.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is passed on.
const MAX_REQUEST_ID_BYTES: usize = 200;

/// What is not written as it stands into a path, a query or a form.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What of a client's request goes along to a backend, so that one can be found by the other.
#[derive(Debug, Default, Clone)]
pub struct PropagatedHeaders {
    /// The `gms_user` header.
    pub gms_user: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `x-request-id` header.
    pub request_id: Option<String>,
}

impl PropagatedHeaders {
    /// With a request id, made here where none came.
    pub(in crate::service) fn with_request_id(mut self) -> Self {
        let given = self.request_id.take();
        let given = given.filter(|id| (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()));
        self.request_id = Some(given.unwrap_or_else(|| Uuid::new_v4().to_string()));
        self
    }
}

/// The pair that names the service to a backend. What a client sends by this name is not passed on: it could
/// have the backend read or write another service.
pub(super) const DATA_ID: &str = "_data_id";

/// Whom and what a request to a backend is about.
pub(in crate::service) struct RequestContext<'a> {
    /// The service.
    pub(in crate::service) id: &'a ServiceId,
    /// Name of the configured service.
    pub(in crate::service) definition: &'a str,
    /// The request, empty for a create.
    pub(in crate::service) request: &'a str,
    /// Pairs that go along.
    pub(in crate::service) fields: &'a [(String, String)],
    /// Pairs that templates may name beside those.
    pub(in crate::service) template_fields: &'a [(String, String)],
    pub(in crate::service) propagated_headers: &'a PropagatedHeaders,
}

impl<'a> RequestContext<'a> {
    /// The pairs without those by the names that are this service's to say, in whatever case.
    pub(super) fn client_fields(&self) -> impl Iterator<Item = &'a (String, String)> + use<'a> {
        let pairs = self.fields.iter();
        pairs.filter(|(name, _)| !name.eq_ignore_ascii_case(DATA_ID))
    }
}

/// One request to a backend.
#[derive(Debug)]
pub(super) struct BackendRequest<'a> {
    pub(super) method: Method,
    /// Path and query, behind the backend's base.
    pub(super) path: String,
    /// May be empty.
    pub(super) body: Bytes,
    /// Its type, for a method that has a body.
    pub(super) content_type: Option<&'static str>,
    /// Those that are configured.
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    pub(super) propagated_headers: &'a PropagatedHeaders,
}

impl BackendRequest<'_> {
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        headers.reserve(6 + self.headers.len());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("switchboard"));
        match self.content_type {
            // Some servers insist on being told that there is nothing.
            Some(_) if self.body.is_empty() => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Some(kind) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            None => {}
        }
        let trail = [
            (GMS_USER, &self.propagated_headers.gms_user),
            (TRACEPARENT, &self.propagated_headers.traceparent),
            (REQUEST_ID, &self.propagated_headers.request_id),
        ];
        for (name, value) in trail {
            let value = value.as_ref();
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        for (name, value) in self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// `text` as it is written into a path, a query or a form, where it cannot be taken for more than text.
pub(super) fn percent_encode(text: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(text, RESERVED)
}

/// Pairs as a form.
pub(super) fn encode_form<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut form = String::with_capacity(256);
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(percent_encode(name));
        form.push('=');
        form.extend(percent_encode(value));
    }
    Bytes::from(form)
}
