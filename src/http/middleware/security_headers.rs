//! Security headers of responses.

use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};

/// One year, the minimum of browsers' preload lists.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The headers of all responses of a listener.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct SecurityHeaders {
    /// Whether the listener itself terminates TLS.
    pub(in crate::http) tls: bool,
}

impl SecurityHeaders {
    /// Adds the headers to those of a response. An existing value stays.
    pub(in crate::http) fn add(self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        // Over plain HTTP browsers ignore it (RFC 6797 8.1); a proxy that terminates TLS adds its own.
        if self.tls && !headers.contains_key(STRICT_TRANSPORT_SECURITY) {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }
}

/// Adds the headers of admin responses: no other origin may embed them, and they run no scripts.
pub(in crate::http) fn add_security_headers(headers: &mut HeaderMap) {
    let name = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(name, HeaderValue::from_static("same-origin"));
    let policy = "default-src 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}
