//! The headers that say who asks and in which course of requests.

use actix_web::HttpRequest;

use crate::service::PropagatedHeaders;

/// What the client calls a request.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Who asks.
pub(super) const GMS_USER: &str = "gms_user";
/// The span that a request comes from.
pub(super) const TRACEPARENT: &str = "traceparent";

/// What of a request goes along to a backend.
pub(super) fn propagated_headers(request: &HttpRequest) -> PropagatedHeaders {
    PropagatedHeaders {
        gms_user: header_text(request, GMS_USER),
        traceparent: header_text(request, TRACEPARENT),
        request_id: header_text(request, REQUEST_ID),
    }
}

/// The first header of that name, as text.
pub(super) fn header_text(request: &HttpRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
