//! The trace context in the headers of requests.

#![expect(
    deprecated,
    reason = "opentelemetry-zipkin is deprecated in favor of OTLP; the SDK has no propagator of B3"
)]

use std::sync::OnceLock;

use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapCompositePropagator, TextMapPropagator},
    trace::{TraceContextExt, TraceId},
};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_zipkin::{B3Encoding, Propagator as B3Propagator};
use reqwest::header::HeaderMap;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::settings::Propagator;

static PROPAGATORS: OnceLock<Propagators> = OnceLock::new();

/// The header of W3C Baggage. It is passed on as it is received: nothing here reads it, and the propagator of the SDK
/// would change it.
const BAGGAGE: &str = "baggage";

/// The propagators of this process.
struct Propagators {
    propagator: TextMapCompositePropagator,
    header_names: Vec<String>,
}

impl Propagators {
    fn new(propagators: &[Propagator]) -> Self {
        let all = propagators
            .iter()
            .filter_map(|propagator| build(*propagator));
        // A receiver of B3 accepts both of its encodings.
        let b3 = B3Propagator::with_encoding(B3Encoding::SingleAndMultiHeader);
        let has_b3 = propagators
            .iter()
            .any(|propagator| matches!(propagator, Propagator::B3 | Propagator::B3Multi));
        let propagator = TextMapCompositePropagator::new(all.collect());
        let mut header_names: Vec<String> = propagator.fields().map(str::to_owned).collect();
        header_names.extend(b3.fields().filter(|_| has_b3).map(str::to_owned));
        if propagators.contains(&Propagator::Baggage) {
            header_names.push(BAGGAGE.to_owned());
        }
        header_names.sort_unstable();
        header_names.dedup();
        Self {
            propagator,
            header_names,
        }
    }

    /// Those of [`set_propagators`], otherwise the defaults.
    fn current() -> &'static Self {
        PROPAGATORS.get_or_init(|| Self::new(&Propagator::DEFAULTS))
    }
}

fn build(propagator: Propagator) -> Option<Box<dyn TextMapPropagator + Send + Sync>> {
    let b3 = B3Propagator::with_encoding;
    match propagator {
        Propagator::TraceContext => Some(Box::new(TraceContextPropagator::new())),
        Propagator::Baggage => None,
        Propagator::B3 => Some(Box::new(b3(B3Encoding::SingleHeader))),
        Propagator::B3Multi => Some(Box::new(b3(B3Encoding::MultipleHeader))),
    }
}

/// Sets the propagators of the process, once and before the first request.
pub fn set_propagators(propagators: &[Propagator]) {
    PROPAGATORS.get_or_init(|| Propagators::new(propagators));
}

/// The names of the headers that contain the trace context.
#[must_use]
pub fn propagated_header_names() -> &'static [String] {
    &Propagators::current().header_names
}

/// The trace context in these headers.
pub(super) fn extract_context(headers: &dyn Extractor) -> Context {
    let propagator = &Propagators::current().propagator;
    propagator.extract_with_context(&Context::new(), headers)
}

/// The trace id in these headers.
#[must_use]
pub fn extract_trace_id(headers: &dyn Extractor) -> Option<TraceId> {
    let context = extract_context(headers);
    let trace_id = context.span().span_context().trace_id();
    (trace_id != TraceId::INVALID).then_some(trace_id)
}

/// Adds the trace context of `span` to `headers`, if it is exported.
pub fn inject_context(span: &Span, headers: &mut HeaderMap) {
    if !span.is_none() {
        let propagator = &Propagators::current().propagator;
        propagator.inject_context(&span.context(), &mut HeaderInjector(headers));
    }
}
