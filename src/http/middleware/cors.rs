//! Cross-origin resource sharing (the CORS protocol of the Fetch standard).
//!
//! The response to an origin that is not allowed has no CORS headers except `Vary`, so browsers withhold it from
//! the page. The API uses no cookies, so credentials are not allowed.

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

/// Request headers that pages may send in addition to the safelisted ones.
const ALLOWED_HEADERS: &str = "gms_user, content-type, authorization, x-api-key, apikey, idempotency-key, \
                       if-match, if-none-match, if-range, range, last-event-id, traceparent, \
                       tracestate, x-request-id";
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
/// Response headers that pages may read in addition to the safelisted ones.
const EXPOSED_HEADERS: &str = "accept-ranges, allow, content-disposition, content-range, etag, \
                       idempotent-replayed, retry-after, warning, www-authenticate";
/// Seconds for which a browser may cache a preflight response.
const MAX_AGE: &str = "3600";
const PREFLIGHT_VARY: &str =
    "origin, access-control-request-method, access-control-request-headers";

/// The origin of a request, if `cors.allowed_origins` lists it.
pub(in crate::http) fn allowed_origin(cors: &Cors, request: &HttpRequest) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    let text = origin.to_str().ok()?;
    is_allowed_origin(cors, text).then(|| origin.clone())
}

/// Whether `cors.allowed_origins` lists an origin.
pub(in crate::http) fn is_allowed_origin(cors: &Cors, origin: &str) -> bool {
    let mut origins = cors.allowed_origins.iter();
    origins.any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// Whether a request is a CORS preflight.
pub(in crate::http) fn is_preflight(request: &HttpRequest) -> bool {
    let has_method = request
        .headers()
        .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    has_method && *request.method() == Method::OPTIONS
}

/// The response to the preflight of an allowed origin.
pub(in crate::http) fn preflight_response(origin: HeaderValue) -> HttpResponse {
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .insert_header((VARY, PREFLIGHT_VARY))
        .finish()
}

/// Adds the CORS headers to a response. Without an allowed origin this is `Vary: origin` only, which caches
/// need.
pub(in crate::http) fn add_headers(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED_HEADERS);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}
