//! The server span of a request.

use std::borrow::Cow;

use opentelemetry::{Context, propagation::Extractor};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{TARGET, TRACES, propagation, sampling::RequestSampler};

/// The value for an unknown method.
const OTHER_METHOD: &str = "_OTHER";
/// The value for a path without a route; that of the conventions for removed data.
const UNKNOWN_PATH: &str = "REDACTED";
/// Maximum length of the `gms_user` attribute.
const MAX_USER_CHARS: usize = 256;

/// The request data that become attributes.
#[derive(Debug)]
pub struct RequestAttributes<'a> {
    /// The method, if it is a known one.
    pub method: Option<&'static str>,
    /// The pattern of the route, if there is one.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The HTTP version.
    pub version: &'static str,
    /// The `gms_user` header.
    pub user: Option<Cow<'a, str>>,
}

/// The span of a request with these headers, if it is sampled; otherwise [`Span::none`]. `attributes` is called only
/// for a sampled request.
pub fn request_span<'a>(
    headers: &dyn Extractor,
    attributes: impl FnOnce() -> RequestAttributes<'a>,
) -> Span {
    match TRACES.get() {
        Some(traces) => sampled_span(&traces.sampler, headers, attributes),
        None => Span::none(),
    }
}

fn sampled_span<'a>(
    sampler: &RequestSampler,
    headers: &dyn Extractor,
    attributes: impl FnOnce() -> RequestAttributes<'a>,
) -> Span {
    let parent = propagation::extract_context(headers);
    if sampler.should_sample(&parent) {
        start_span(parent, attributes())
    } else {
        Span::none()
    }
}

fn start_span(parent: Context, attributes: RequestAttributes<'_>) -> Span {
    let RequestAttributes {
        method,
        route,
        scheme,
        version,
        user,
    } = attributes;
    let name = match (method.unwrap_or("HTTP"), route) {
        (method, Some(route)) => Cow::Owned(format!("{method} {route}")),
        (method, None) => Cow::Borrowed(method),
    };
    let user: Option<String> = user.map(|user| user.chars().take(MAX_USER_CHARS).collect());
    let span = info_span!(
        target: TARGET,
        parent: None,
        "request",
        otel.name = &*name,
        otel.kind = "server",
        http.request.method = method.unwrap_or(OTHER_METHOD),
        url.scheme = scheme,
        url.path = route.unwrap_or(UNKNOWN_PATH),
        network.protocol.version = version,
        http.route = route,
        enduser.id = user,
        http.response.status_code = Empty,
        error.type = Empty,
        otel.status_code = Empty,
    );
    // Fails only without the layer, if the process has no log.
    if span.set_parent(parent).is_ok() {
        // Starts it, so that no other span of this thread takes the trace id of the decision.
        drop(span.context());
    }
    span
}

/// Records the status and the exception of the response.
pub fn record_response(span: &Span, status: u16, exception: Option<&'static str>) {
    if span.is_none() {
        return;
    }
    span.record("http.response.status_code", i64::from(status));
    // In server spans only status 5xx is an error.
    if status >= 500 {
        let kind = exception.map_or_else(|| status.to_string().into(), Cow::Borrowed);
        super::record_error(span, &kind);
    }
}

/// Records that the client disconnected.
pub fn record_cancelled(span: &Span) {
    span.record("error.type", "cancelled");
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use allocation_counter::measure;
    use futures_util::FutureExt;
    use opentelemetry_sdk::trace::{Sampler, ShouldSample};
    use tracing::Instrument;

    use super::*;
    use crate::telemetry::traces::{
        backend_span, inject_context, record_error, record_status, store_span,
    };

    /// The headers of a request.
    struct Headers(Option<&'static str>);

    impl Extractor for Headers {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.filter(|_| key == "traceparent")
        }

        fn keys(&self) -> Vec<&str> {
            Vec::new()
        }
    }

    /// Number of allocations of the spans of a request that is not sampled.
    fn allocations(sampler: impl ShouldSample + 'static, headers: &Headers) -> u64 {
        let sampler = RequestSampler::new(Box::new(sampler));
        let request = || {
            let span = sampled_span(&sampler, headers, || unreachable!("it is not sampled"));
            let handler = async {
                let store = store_span("redis", "read");
                ready(()).instrument(store.clone()).await;
                record_error(&store, "unavailable");
                let backend = backend_span("GET", "http://backend");
                inject_context(&backend, &mut reqwest::header::HeaderMap::new());
                record_status(&backend, 500);
            };
            let outcome = handler.instrument(span.clone()).now_or_never();
            assert_eq!(outcome, Some(()));
            record_response(&span, 500, None);
        };
        // The first request of a thread initializes the random number generator.
        request();
        measure(request).count_total
    }

    #[test]
    fn a_request_that_is_not_sampled_allocates_nothing() {
        let none = Headers(None);
        assert_eq!(allocations(Sampler::AlwaysOff, &none), 0);
        assert_eq!(allocations(Sampler::TraceIdRatioBased(0.0), &none), 0);
        let parent_based = || Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        assert_eq!(allocations(parent_based(), &none), 0);
        // The propagator of the SDK allocates the parts of the header, and the context.
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let unsampled = Headers(Some(unsampled));
        assert_eq!(allocations(parent_based(), &unsampled), 2);
    }
}
