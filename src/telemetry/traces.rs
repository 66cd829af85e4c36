//! Traces, over OTLP: a span for each sampled request, with a child span for each store operation and each
//! request to a backend.
//!
//! The sampling decision uses the `traceparent` and a random number, before anything is allocated for the
//! request (`traces/sampling.rs`). A request that is not sampled costs that decision and a read of a thread-local
//! per child operation. Attributes follow OpenTelemetry's semantic conventions; paths and URLs in them are
//! patterns, because ids are secrets and keys are user data.
//!
//! Ended spans go to a bounded queue of the exporter's thread (`traces/bounded_queue.rs`): a slow or
//! unavailable collector does not affect requests.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    attribute::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION},
};
use tokio::task;
use tracing::{info, warn};
use uuid::Uuid;

pub use self::{
    client_span::{ClientSpan, start_backend_span, start_store_span, with_current_context},
    request_span::{RequestAttributes, ServerSpan},
    traceparent::trace_id,
};
use self::{http_exporter::HttpExporter, sampling::TraceIdGenerator};
use crate::settings::{self, Sampling, VERSION};

mod bounded_queue;
mod client_span;
mod http_exporter;
mod request_span;
mod sampling;
mod traceparent;

/// The default of `service.name`.
const DEFAULT_SERVICE_NAME: &str = "switchboard";
/// Timeout for the export of the remaining spans at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

static TRACES: OnceLock<Traces> = OnceLock::new();

/// The tracer of this process.
struct Traces {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    sampling: Sampling,
    propagation_enabled: bool,
}

/// Starts tracing for the process. Spans are exported on the current runtime, which must run until [`stop`]
/// has returned.
///
/// # Errors
/// An invalid endpoint or certificate.
pub fn start(settings: &settings::Traces) -> Result<(), String> {
    let exporter = HttpExporter::build(settings)?;
    let instance = Uuid::new_v4().to_string();
    let defaults = [
        KeyValue::new(SERVICE_NAME, DEFAULT_SERVICE_NAME),
        KeyValue::new(SERVICE_VERSION, VERSION),
        KeyValue::new(SERVICE_INSTANCE_ID, instance),
    ];
    let attributes = settings.attributes.iter().cloned();
    // The environment overrides the defaults. The SDK's own parser of it does not decode values.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_schema_url(defaults, SCHEMA_URL)
        .with_attributes(attributes.map(|(name, value)| KeyValue::new(name, value)));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_id_generator(TraceIdGenerator)
        // The sampling decision was made before.
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(bounded_queue::bounded_processor(exporter, settings))
        .build();
    let traces = Traces {
        tracer: provider.tracer(DEFAULT_SERVICE_NAME),
        provider,
        sampling: settings.sampling,
        propagation_enabled: settings.propagates,
    };
    let (ratio, parent_based) = (settings.sampling.ratio, settings.sampling.parent_based);
    if TRACES.set(traces).is_ok() {
        info!(ratio, parent_based, "tracing enabled");
    }
    Ok(())
}

/// Exports the remaining spans, with a timeout of a few seconds, and stops tracing.
pub async fn stop() {
    let Some(traces) = TRACES.get() else {
        return;
    };
    // The call blocks, and the export that it waits for runs on this runtime.
    let stopped =
        task::spawn_blocking(|| traces.provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
    if !matches!(stopped, Ok(Ok(()))) {
        warn!("spans lost at shutdown: export timed out");
    }
}
