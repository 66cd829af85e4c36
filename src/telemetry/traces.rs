//! Traces, over OTLP: a span for each request that is sampled, and in it one for each call of the store
//! and each attempt to ask a backend.
//!
//! Whether a request is sampled is decided from its `traceparent` and a random number, before anything is
//! allocated for it (`traces/sampling.rs`). One that is not costs that decision, and a look at a thread-local in
//! each call it makes. Attributes are those of OpenTelemetry's semantic conventions; paths and URLs in them
//! are patterns, because an id is a secret and a name is its owner's.
//!
//! Spans that have ended wait in a queue with a bound for the exporter's thread (`traces/queue.rs`): whatever becomes
//! of the collector, no request notices.

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

/// What the service is called unless the environment says otherwise.
const DEFAULT_SERVICE_NAME: &str = "switchboard";
/// How long spans that still wait may take to leave when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

static TRACES: OnceLock<Traces> = OnceLock::new();

/// What this process traces with.
struct Traces {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    sampling: Sampling,
    propagation_enabled: bool,
}

/// Starts tracing, once for the whole process. What is traced is sent from the runtime that this is called
/// on, which must go on until [`stop`] has returned.
///
/// # Errors
/// What is wrong with the endpoint or its certificates.
pub fn start(settings: &settings::Traces) -> Result<(), String> {
    let exporter = HttpExporter::build(settings)?;
    let instance = Uuid::new_v4().to_string();
    let ours = [
        KeyValue::new(SERVICE_NAME, DEFAULT_SERVICE_NAME),
        KeyValue::new(SERVICE_VERSION, VERSION),
        KeyValue::new(SERVICE_INSTANCE_ID, instance),
    ];
    let set = settings.attributes.iter().cloned();
    // The environment goes over ours. The SDK's own reading of it does not decode.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_schema_url(ours, SCHEMA_URL)
        .with_attributes(set.map(|(name, value)| KeyValue::new(name, value)));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_id_generator(TraceIdGenerator)
        // What comes so far was decided on before.
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(bounded_queue::bounded_processor(exporter, settings))
        .build();
    let traces = Traces {
        tracer: provider.tracer(DEFAULT_SERVICE_NAME),
        provider,
        sampling: settings.sampling,
        propagation_enabled: settings.propagates,
    };
    let (ratio, follows) = (settings.sampling.ratio, settings.sampling.parent_based);
    if TRACES.set(traces).is_ok() {
        info!(ratio, follows, "requests are traced");
    }
    Ok(())
}

/// Sends what still waits, for no longer than a few seconds; nothing is traced afterwards.
pub async fn stop() {
    let Some(traces) = TRACES.get() else {
        return;
    };
    // It blocks, and what it waits for goes on here.
    let stopped =
        task::spawn_blocking(|| traces.provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
    if !matches!(stopped, Ok(Ok(()))) {
        warn!("traces that still waited are lost: nobody took them in time");
    }
}
