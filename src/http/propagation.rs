//! Request headers that are passed on to backends, and those of the trace context.

use std::{cell::OnceCell, sync::LazyLock};

use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use opentelemetry::propagation::Extractor;

use super::ApiError;
use crate::{
    model::{GMS_USER, PropagatedHeaders, REQUEST_ID},
    telemetry::traces::propagated_header_names,
};

/// The header of W3C Trace Context that is a list.
const TRACE_STATE: &str = "tracestate";

/// The headers of the trace context.
static TRACE_HEADERS: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    let names = propagated_header_names().iter();
    names.filter_map(|name| name.parse().ok()).collect()
});

/// The trace context in the headers of a request.
pub(super) struct TraceHeaders<'a> {
    headers: &'a HeaderMap,
    /// The value of `tracestate` if there are several fields.
    trace_state: OnceCell<String>,
}

impl<'a> TraceHeaders<'a> {
    pub(super) fn new(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            trace_state: OnceCell::new(),
        }
    }
}

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // A lookup by text would allocate a name.
        let name = TRACE_HEADERS.iter().find(|name| name.as_str() == key)?;
        let mut fields = self.headers.get_all(name);
        let first = fields.next()?;
        if name == TRACE_STATE && fields.next().is_some() {
            let combine = || combine_fields(self.headers, name).unwrap_or_default();
            return Some(self.trace_state.get_or_init(combine));
        }
        first.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.keys().map(HeaderName::as_str).collect()
    }
}

/// The headers of `request` that are passed on to a backend.
pub(super) fn propagated_headers(request: &HttpRequest) -> PropagatedHeaders {
    let trace_context = TRACE_HEADERS.iter().filter_map(|name| {
        let value = combine_fields(request.headers(), name)?;
        Some((name.as_str(), value))
    });
    PropagatedHeaders {
        gms_user: first_header(request, GMS_USER),
        trace_context: trace_context.collect(),
        request_id: first_header(request, REQUEST_ID),
    }
}

/// The fields of this name as one list, in their order: `tracestate` and `baggage` may be sent as several fields.
fn combine_fields(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let fields = headers.get_all(name).map(header_text);
    fields.reduce(|all, field| all + "," + &field)
}

/// The user in the header `gms_user`.
///
/// # Errors
/// [`ApiError::InvalidParameter`] if there are several or it is not UTF-8: the name must be unambiguous where it decides
/// on access.
pub(super) fn user(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let mut users = request.headers().get_all(GMS_USER);
    let Some(user) = users.next() else {
        return Ok(None);
    };
    if users.next().is_some() {
        let message = "there is more than one header gms_user; expected at most one";
        return Err(ApiError::InvalidParameter(message.to_owned()));
    }
    let user = std::str::from_utf8(user.as_bytes());
    user.map(Some).map_err(|error| {
        ApiError::InvalidParameter(format!("the header gms_user is not UTF-8: {error}"))
    })
}

/// The first header of this name, as text.
fn first_header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name).map(header_text)
}

fn header_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;

    use super::*;

    #[test]
    fn reading_the_trace_context_allocates_nothing() {
        let mut headers = HeaderMap::new();
        for name in ["traceparent", TRACE_STATE] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static("value"));
        }
        let headers = TraceHeaders::new(&headers);
        assert_eq!(headers.get("traceparent"), Some("value"));
        let read = measure(|| {
            assert_eq!(headers.get("traceparent"), Some("value"));
            assert_eq!(headers.get(TRACE_STATE), Some("value"));
            assert_eq!(headers.get("x-other"), None);
        });
        assert_eq!(read.count_total, 0);
    }

    #[test]
    fn several_fields_of_tracestate_are_one_list_in_their_order() {
        let mut headers = HeaderMap::new();
        for value in ["a=1, b=2", "c=3", "d=4"] {
            let name = HeaderName::from_static(TRACE_STATE);
            headers.append(name, HeaderValue::from_static(value));
        }
        let headers = TraceHeaders::new(&headers);
        assert_eq!(headers.get(TRACE_STATE), Some("a=1, b=2,c=3,d=4"));
    }
}
