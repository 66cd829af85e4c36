//! The headers that say who asks and in which course of requests.

use actix_web::HttpRequest;

use crate::service::Trail;

/// What the client calls a request.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// What of a request goes along to a backend.
pub(super) fn of(request: &HttpRequest) -> Trail {
    Trail {
        gms_user: header(request, "gms_user"),
        traceparent: header(request, "traceparent"),
        request_id: header(request, REQUEST_ID),
    }
}

/// The first header of that name, as text.
pub(super) fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
