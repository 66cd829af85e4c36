//! Request headers that are passed on to backends, and those of the trace context.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use opentelemetry::propagation::Extractor;

use crate::{
    model::{GMS_USER, PropagatedHeaders, REQUEST_ID},
    telemetry::traces::propagated_header_names,
};

/// The headers of the trace context.
static TRACE_HEADERS: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    let names = propagated_header_names().iter();
    names.filter_map(|name| name.parse().ok()).collect()
});

/// The trace context in the headers of a request.
pub(super) struct TraceHeaders<'a>(pub(super) &'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // A lookup by text would allocate a name.
        let name = TRACE_HEADERS.iter().find(|name| name.as_str() == key)?;
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The headers of `request` that are passed on to a backend.
pub(super) fn propagated_headers(request: &HttpRequest) -> PropagatedHeaders {
    let trace_context = TRACE_HEADERS.iter().filter_map(|name| {
        // `tracestate` and `baggage` are lists, which may be sent as several fields.
        let mut fields = request.headers().get_all(name).map(header_text);
        let first = fields.next()?;
        let all = fields.fold(first, |all, field| all + "," + &field);
        Some((name.as_str(), all))
    });
    PropagatedHeaders {
        gms_user: first_header(request, GMS_USER),
        trace_context: trace_context.collect(),
        request_id: first_header(request, REQUEST_ID),
    }
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
        let name = HeaderName::from_static("traceparent");
        headers.insert(name, HeaderValue::from_static("value"));
        let headers = TraceHeaders(&headers);
        assert_eq!(headers.get("traceparent"), Some("value"));
        let read = measure(|| {
            assert_eq!(headers.get("traceparent"), Some("value"));
            assert_eq!(headers.get("tracestate"), None);
            assert_eq!(headers.get("x-other"), None);
        });
        assert_eq!(read.count_total, 0);
    }
}
