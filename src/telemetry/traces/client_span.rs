//! Client spans: store operations and requests to backends.

use opentelemetry::{Context, trace::TraceContextExt};
use reqwest::Url;
use tracing::{Span, field::Empty, info_span};

use super::TARGET;

/// The span of a store operation, if the current request is sampled; otherwise [`Span::none`].
#[must_use]
pub fn store_span(system: &'static str, operation: &'static str) -> Span {
    if !is_request_sampled() {
        return Span::none();
    }
    info_span!(
        target: TARGET,
        "store operation",
        otel.name = operation,
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = operation,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// The span of a request to the backend at `base`, a URL without a path, if the current request is sampled;
/// otherwise [`Span::none`].
#[must_use]
pub fn backend_span(method: &'static str, base: &str) -> Span {
    if !is_request_sampled() {
        return Span::none();
    }
    let url = Url::parse(base).ok();
    let port = url.as_ref().and_then(Url::port_or_known_default);
    info_span!(
        target: TARGET,
        "backend request",
        otel.name = method,
        otel.kind = "client",
        http.request.method = method,
        // The rest contains ids and user data.
        url.full = format!("{base}/REDACTED"),
        server.address = url.as_ref().and_then(Url::host_str),
        server.port = port.map(i64::from),
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    )
}

/// Whether this code runs in the span of a request. Only sampled requests have one.
fn is_request_sampled() -> bool {
    Context::map_current(TraceContextExt::has_active_span)
}

/// Records the status of a backend's response.
pub fn record_status(span: &Span, status: u16) {
    if span.is_none() {
        return;
    }
    span.record("http.response.status_code", i64::from(status));
    if status >= 400 {
        record_error(span, &status.to_string());
    }
}

/// Records an error.
pub fn record_error(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "error");
}
