//! The bounded queue of spans for the exporter.
//!
//! The SDK's queue is bounded too, but does not count the spans that it drops.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use tracing::{info, warn};

use crate::{settings, telemetry::metrics::SpanOutcome};

/// A span processor that queues at most as many spans as in `settings`, and exports them with `exporter`.
pub(super) fn bounded_processor(
    exporter: Otlp,
    settings: &settings::Traces,
) -> impl SpanProcessor + 'static {
    let max_pending = settings.max_queue_size;
    let pending = Arc::new(AtomicUsize::new(0));
    let counted = CountingExporter {
        exporter,
        pending: Arc::clone(&pending),
        failing: AtomicBool::new(false),
    };
    // One more than our own bound, so that the SDK drops nothing.
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(max_pending.saturating_add(1))
        .with_max_export_batch_size(settings.max_batch_size)
        .with_scheduled_delay(settings.schedule_delay);
    let processor = BatchSpanProcessor::builder(counted).with_batch_config(config.build());
    BoundedSpanProcessor {
        processor: processor.build(),
        pending,
        max_pending,
    }
}

#[derive(Debug)]
struct BoundedSpanProcessor {
    processor: BatchSpanProcessor,
    pending: Arc<AtomicUsize>,
    max_pending: usize,
}

impl SpanProcessor for BoundedSpanProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.pending.fetch_add(1, Relaxed) >= self.max_pending {
            self.pending.fetch_sub(1, Relaxed);
            SpanOutcome::Dropped.count(1);
            return;
        }
        self.processor.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

#[derive(Debug)]
struct CountingExporter {
    exporter: Otlp,
    pending: Arc<AtomicUsize>,
    failing: AtomicBool,
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.pending.fetch_sub(count, Relaxed);
        let result = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(result.is_err(), Relaxed);
        match &result {
            Ok(()) => SpanOutcome::Exported.count(count),
            Err(_) => SpanOutcome::Failed.count(count),
        }
        match &result {
            Err(error) if !was_failing => warn!(%error, "span export failed"),
            Ok(()) if was_failing => info!("span export recovered"),
            _ => {}
        }
        result
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
