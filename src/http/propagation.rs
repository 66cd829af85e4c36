//! Request headers that are passed on to backends.

use actix_web::HttpRequest;

use crate::model::{GMS_USER, PropagatedHeaders, REQUEST_ID, TRACEPARENT};

/// The headers of `request` that are passed on to a backend.
pub(super) fn propagated_headers(request: &HttpRequest) -> PropagatedHeaders {
    PropagatedHeaders {
        gms_user: header_text(request, GMS_USER),
        traceparent: header_text(request, TRACEPARENT),
        request_id: header_text(request, REQUEST_ID),
    }
}

/// The first header of this name, as text.
fn header_text(request: &HttpRequest, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
