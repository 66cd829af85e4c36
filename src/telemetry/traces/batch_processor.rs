//! The batch processor of the SDK, with counters.
//!
//! It drops spans if its queue is full, but does not return their number. Therefore a second bound of the same size is
//! in front of it, which counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

use crate::{settings, telemetry::metrics::SpanOutcome};

/// The batch processor for `exporter`, with the queue in `settings`.
pub(super) fn build_processor(
    exporter: impl SpanExporter + 'static,
    settings: &settings::Traces,
) -> impl SpanProcessor + 'static {
    let pending = Arc::new(AtomicUsize::new(0));
    let exporter = CountingExporter {
        exporter,
        pending: Arc::clone(&pending),
    };
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(settings.max_queue_size)
        .with_max_export_batch_size(settings.max_batch_size)
        .with_scheduled_delay(settings.schedule_delay);
    CountingProcessor {
        processor: BatchSpanProcessor::builder(exporter)
            .with_batch_config(config.build())
            .build(),
        pending,
        max_pending: settings.max_queue_size,
    }
}

/// Counts spans that are dropped because the queue is full.
#[derive(Debug)]
struct CountingProcessor {
    processor: BatchSpanProcessor,
    /// Spans that are not yet part of an export.
    pending: Arc<AtomicUsize>,
    max_pending: usize,
}

impl SpanProcessor for CountingProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.pending.fetch_add(1, Relaxed) < self.max_pending {
            self.processor.on_end(span);
        } else {
            self.pending.fetch_sub(1, Relaxed);
            SpanOutcome::Dropped.count(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Counts exported spans.
#[derive(Debug)]
struct CountingExporter<E> {
    exporter: E,
    pending: Arc<AtomicUsize>,
}

impl<E: SpanExporter> SpanExporter for CountingExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.pending.fetch_sub(count, Relaxed);
        let result = self.exporter.export(batch).await;
        match &result {
            Ok(()) => SpanOutcome::Exported.count(count),
            Err(_) => SpanOutcome::Failed.count(count),
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
