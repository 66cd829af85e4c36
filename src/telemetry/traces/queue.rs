//! What waits for the exporter, bounded and counted.
//!
//! The SDK's own queue has a bound too, but drops what does not fit without anybody hearing of it.

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

use crate::{settings, telemetry::metrics::Spans};

/// Takes spans in, no more at a time than `settings` say, and has `exporter` send them.
pub(super) fn bounded(exporter: Otlp, settings: &settings::Traces) -> impl SpanProcessor + 'static {
    let most = settings.queue;
    let waiting = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        exporter,
        waiting: Arc::clone(&waiting),
        failing: AtomicBool::new(false),
    };
    // Ours is the bound that is met first.
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(most.saturating_add(1))
        .with_max_export_batch_size(settings.batch)
        .with_scheduled_delay(settings.delay);
    let processor = BatchSpanProcessor::builder(counted).with_batch_config(config.build());
    Bounded {
        processor: processor.build(),
        waiting,
        most,
    }
}

#[derive(Debug)]
struct Bounded {
    processor: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.fetch_add(1, Relaxed) >= self.most {
            self.waiting.fetch_sub(1, Relaxed);
            Spans::Dropped.count(1);
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
struct Counted {
    exporter: Otlp,
    waiting: Arc<AtomicUsize>,
    failing: AtomicBool,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.waiting.fetch_sub(count, Relaxed);
        let sent = self.exporter.export(batch).await;
        let failed = self.failing.swap(sent.is_err(), Relaxed);
        match &sent {
            Ok(()) => Spans::Exported.count(count),
            Err(_) => Spans::Failed.count(count),
        }
        match &sent {
            Err(error) if !failed => warn!(%error, "traces cannot be sent, and are lost"),
            Ok(()) if failed => info!("traces are sent again"),
            _ => {}
        }
        sent
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
