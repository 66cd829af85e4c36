//! Which pages of other origins a browser lets call (the Fetch standard's CORS protocol).
//!
//! An origin that is not on the list gets the answer without a word about origins, and its browser
//! keeps it from the page. Nothing here depends on cookies, so none are allowed for.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
        },
    },
};

use crate::settings::Cors;

/// What a page may send beyond what every page may.
const ALLOWED_HEADERS: &str = "gms_user, content-type, authorization, x-api-key, apikey, idempotency-key, \
                       if-match, if-none-match, if-range, range, last-event-id, traceparent, \
                       tracestate, x-request-id";
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
/// What a page may see beyond what every page may.
const EXPOSED_HEADERS: &str = "accept-ranges, allow, content-disposition, content-range, etag, \
                       idempotent-replayed, retry-after, warning, www-authenticate";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "3600";
const PREFLIGHT_VARY: &str =
    "origin, access-control-request-method, access-control-request-headers";

/// The origin of a request, where it is on the list.
pub(in crate::http) fn allowed_origin(cors: &Cors, request: &HttpRequest) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    let text = origin.to_str().ok()?;
    is_allowed_origin(cors, text).then(|| origin.clone())
}

/// Whether an origin is on the list.
pub(in crate::http) fn is_allowed_origin(cors: &Cors, origin: &str) -> bool {
    let mut listed = cors.allowed_origins.iter();
    listed.any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// Whether a browser asks if a page may send what it is about to send.
pub(in crate::http) fn is_preflight(request: &HttpRequest) -> bool {
    let asked = request
        .headers()
        .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    asked && *request.method() == Method::OPTIONS
}

/// It may.
pub(in crate::http) fn preflight_response(origin: HeaderValue) -> HttpResponse {
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .insert_header((VARY, PREFLIGHT_VARY))
        .finish()
}

/// Lets the page see the answer. One without an allowed origin still says that origins matter, for
/// whoever keeps it.
pub(in crate::http) fn add_headers(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED_HEADERS);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
