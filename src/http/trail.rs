//! The headers that say who asks and in which course of requests.

use actix_web::HttpRequest;

use crate::service::Trail;

/// What the client calls a request.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Who asks.
pub(super) const GMS_USER: &str = "gms_user";
/// The span that a request comes from.
pub(super) const TRACEPARENT: &str = "traceparent";

/// What of a request goes along to a backend.
pub(super) fn of(request: &HttpRequest) -> Trail {
    Trail {
        gms_user: header(request, GMS_USER),
        traceparent: header(request, TRACEPARENT),
        request_id: header(request, REQUEST_ID),
    }
}

/// The first header of that name, as text.
pub(super) fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
