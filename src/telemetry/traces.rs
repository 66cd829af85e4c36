//! Traces, over OTLP: a `tracing` span for each sampled request, with a child span for each store operation and each
//! request to a backend.
//!
//! The SDK's sampler decides before the span of a request exists (`traces/sampling.rs`), so a request that is not
//! sampled has no span. Attributes follow OpenTelemetry's semantic conventions; paths and URLs in them are patterns,
//! because ids are secrets and keys are user data.
//!
//! `tracing-opentelemetry` hands ended spans to the SDK's batch processor, which exports them in a thread of its own:
//! a slow or unavailable collector does not affect requests.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{
    Context, KeyValue,
    trace::{TraceContextExt, TraceId, TracerProvider},
};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{Config, Sampler, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION},
};
use tracing::{Level, warn};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, Registry, filter::Targets};
use uuid::Uuid;

pub use self::{
    client_span::{backend_span, record_error, record_status, store_span},
    propagation::{extract_trace_id, inject_context, propagated_header_names, set_propagators},
    request_span::{RequestAttributes, record_cancelled, record_response, request_span},
};
use self::{
    exporter::CollectorExporter,
    sampling::{RequestSampler, SampledTraceIds},
};
use crate::settings::{self, VERSION};

mod batch_processor;
mod client_span;
mod exporter;
mod propagation;
mod request_span;
mod sampling;

/// The default of `service.name`.
const DEFAULT_SERVICE_NAME: &str = "switchboard";
/// The target of all exported spans.
const TARGET: &str = "switchboard::spans";
/// Timeout for the export of the remaining spans at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

static TRACES: OnceLock<Traces> = OnceLock::new();

/// Tracing of this process.
struct Traces {
    sampler: RequestSampler,
    provider: SdkTracerProvider,
}

/// The layer that exports spans.
pub(super) type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts tracing for the process. The layer becomes part of the subscriber.
///
/// # Errors
/// An invalid endpoint or certificate.
pub(super) fn start(settings: &settings::Traces) -> Result<SpanLayer, String> {
    let exporter = CollectorExporter::new(settings)?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(settings))
        .with_id_generator(SampledTraceIds::default())
        // The sampling decision was made before.
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(batch_processor::build_processor(exporter, settings))
        .build();
    let layer = OpenTelemetryLayer::new(provider.tracer(DEFAULT_SERVICE_NAME))
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(TARGET, Level::INFO));
    let traces = Traces {
        // Reads OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
        sampler: RequestSampler::new(Config::default().sampler),
        provider,
    };
    TRACES
        .set(traces)
        .map_err(|_traces| "tracing is already started")?;
    Ok(Box::new(layer))
}

fn resource(settings: &settings::Traces) -> Resource {
    let defaults = [
        KeyValue::new(SERVICE_NAME, DEFAULT_SERVICE_NAME),
        KeyValue::new(SERVICE_VERSION, VERSION),
        KeyValue::new(SERVICE_INSTANCE_ID, Uuid::new_v4().to_string()),
    ];
    let attributes = settings.attributes.iter().cloned();
    // The environment overrides the defaults. The SDK's own parser of it does not decode values.
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_schema_url(defaults, SCHEMA_URL)
        .with_attributes(attributes.map(|(name, value)| KeyValue::new(name, value)))
        .build()
}

/// Exports the remaining spans, with a timeout of a few seconds, and stops tracing. Blocks the thread.
pub fn stop() {
    let Some(traces) = TRACES.get() else {
        return;
    };
    if traces
        .provider
        .shutdown_with_timeout(FLUSH_TIMEOUT)
        .is_err()
    {
        warn!("spans lost at shutdown: export timed out");
    }
}

/// The trace of the current span.
pub(super) fn current_trace_id() -> Option<TraceId> {
    Context::map_current(|context| {
        let is_sampled = context.has_active_span();
        is_sampled.then(|| context.span().span_context().trace_id())
    })
}
