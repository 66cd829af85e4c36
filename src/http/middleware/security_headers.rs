//! Headers that every response has.

use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};

/// One year, as browsers' preload lists ask for at least.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// The headers of one listener.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct SecurityHeaders {
    /// Whether clients connect over TLS to this process itself.
    pub(in crate::http) tls: bool,
}

impl SecurityHeaders {
    /// Adds them to those of a response. A value that is already there stays.
    pub(in crate::http) fn add(self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        // Over plain HTTP browsers ignore it (RFC 6797 8.1); a proxy in front that terminates TLS adds its own.
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
