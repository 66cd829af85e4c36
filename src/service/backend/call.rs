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

const GMS_USER: HeaderName = HeaderName::from_static("gms_user");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is passed on.
const MAX_REQUEST_ID: usize = 200;

/// What is not written as it stands into a path, a query or a form.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What of a client's request goes along to a backend, so that one can be found by the other.
#[derive(Debug, Default, Clone)]
pub struct Trail {
    /// The `gms_user` header.
    pub gms_user: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `x-request-id` header.
    pub request_id: Option<String>,
}

impl Trail {
    /// With a request id, made here where none came.
    pub(in crate::service) fn complete(mut self) -> Self {
        let given = self.request_id.take();
        let given = given.filter(|id| (1..=MAX_REQUEST_ID).contains(&id.len()));
        self.request_id = Some(given.unwrap_or_else(|| Uuid::new_v4().to_string()));
        self
    }
}

/// The pair that names the service to a backend. What a client sends by this name is not passed on: it could
/// have the backend read or write another service.
pub(super) const DATA_ID: &str = "_data_id";

/// Whom and what a request to a backend is about.
pub(in crate::service) struct About<'a> {
    /// The service.
    pub(in crate::service) id: &'a ServiceId,
    /// Name of the configured service.
    pub(in crate::service) definition: &'a str,
    /// The request, empty for a create.
    pub(in crate::service) request: &'a str,
    /// Pairs that go along.
    pub(in crate::service) pairs: &'a [(String, String)],
    /// Pairs that templates may name beside those.
    pub(in crate::service) more: &'a [(String, String)],
    pub(in crate::service) trail: &'a Trail,
}

impl<'a> About<'a> {
    /// The pairs without those by the names that are this service's to say, in whatever case.
    pub(super) fn client_pairs(&self) -> impl Iterator<Item = &'a (String, String)> + use<'a> {
        let pairs = self.pairs.iter();
        pairs.filter(|(name, _)| !name.eq_ignore_ascii_case(DATA_ID))
    }
}

/// One request to a backend.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Path and query, behind the backend's base.
    pub(super) path: String,
    /// May be empty.
    pub(super) body: Bytes,
    /// Its type, for a method that has a body.
    pub(super) content_type: Option<&'static str>,
    /// Those that are configured.
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    pub(super) trail: &'a Trail,
}

impl Call<'_> {
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
            (GMS_USER, &self.trail.gms_user),
            (TRACEPARENT, &self.trail.traceparent),
            (REQUEST_ID, &self.trail.request_id),
        ];
        for (name, value) in trail {
            let value = value.as_ref();
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        for (name, value) in self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// `text` as it is written into a path, a query or a form, where it cannot be taken for more than text.
pub(super) fn encoded(text: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(text, RESERVED)
}

/// Pairs as a form.
pub(super) fn form<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut form = String::with_capacity(256);
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(encoded(name));
        form.push('=');
        form.extend(encoded(value));
    }
    Bytes::from(form)
}
