//! A request to a backend: context, headers and encoding.

use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use reqwest::{
    Method,
    header::{
        ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
    },
};

use crate::model::{GMS_USER, PropagatedHeaders, REQUEST_ID, RESERVED, ServiceId};

/// The field with the service id. Client fields of this name are dropped: they could make the backend read or write
/// another service.
pub(super) const DATA_ID: &str = "_data_id";

/// The context of a request to a backend.
pub(crate) struct RequestContext<'a> {
    /// The service.
    pub(crate) id: &'a ServiceId,
    /// The name of the configured service.
    pub(crate) definition: &'a str,
    /// The service-specific request; empty for a create.
    pub(crate) request: &'a str,
    /// The fields to send.
    pub(crate) fields: &'a [(String, String)],
    /// Additional fields for placeholders of templates.
    pub(crate) template_fields: &'a [(String, String)],
    pub(crate) propagated_headers: &'a PropagatedHeaders,
}

impl<'a> RequestContext<'a> {
    /// The fields without those of reserved names, in any case.
    pub(super) fn client_fields(&self) -> impl Iterator<Item = &'a (String, String)> + use<'a> {
        let fields = self.fields.iter();
        fields.filter(|(name, _)| !name.eq_ignore_ascii_case(DATA_ID))
    }
}

/// One request to a backend.
#[derive(Debug)]
pub(super) struct BackendRequest<'a> {
    pub(super) method: Method,
    /// The path and query, relative to the backend's base URL.
    pub(super) path: String,
    /// The body, possibly empty.
    pub(super) body: Bytes,
    /// The content type, for a method with a body.
    pub(super) content_type: Option<&'static str>,
    /// The configured headers.
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    pub(super) propagated_headers: &'a PropagatedHeaders,
}

impl BackendRequest<'_> {
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        headers.reserve(6 + self.headers.len());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("switchboard"));
        match self.content_type {
            // Some servers require Content-Length even for an empty body.
            Some(_) if self.body.is_empty() => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Some(kind) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            None => {}
        }
        let propagated = self.propagated_headers;
        let trace_context = propagated.trace_context.iter();
        let trace_context = trace_context.map(|(name, value)| (*name, Some(value)));
        let propagated = trace_context.chain([
            (GMS_USER, propagated.gms_user.as_ref()),
            (REQUEST_ID, propagated.request_id.as_ref()),
        ]);
        for (name, value) in propagated {
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                headers.insert(name, value);
            }
        }
        for (name, value) in self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// Percent-encodes `text` for a path segment, a query value or a form.
pub(super) fn percent_encode(text: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(text, RESERVED)
}

/// Encodes fields as a form.
pub(super) fn encode_form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut form = String::with_capacity(256);
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(percent_encode(name));
        form.push('=');
        form.extend(percent_encode(value));
    }
    Bytes::from(form)
}
