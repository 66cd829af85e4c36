//! Metrics of webhooks.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};

use super::handles::LabeledCounters;

/// The upper bounds of the buckets of deliveries, in seconds. The last one is the timeout of a delivery.
const DELIVERY_BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// The result of an attempt to deliver an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryResult {
    /// A response with a status from 200 to 299.
    Success,
    /// A redirect, which is not followed.
    Redirect,
    /// The status 410, which stops the endpoint.
    Gone,
    /// Another status.
    HttpError,
    /// No response in time.
    Timeout,
    /// The address is not allowed, or TLS is required. Nothing was sent.
    AddressNotAllowed,
    /// The host name could not be resolved, or the connection was not established, not trusted or lost.
    ConnectionError,
}

const RESULTS: [&str; 7] = [
    "success",
    "redirect",
    "gone",
    "http_error",
    "timeout",
    "address_not_allowed",
    "connection_error",
];

/// Deliveries of events. Clones share the values.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    /// Events that were dropped from full outboxes.
    pub dropped_events: Counter,
    deliveries: LabeledCounters,
    by_result: [Counter; RESULTS.len()],
    duration: Histogram,
}

impl Default for WebhookMetrics {
    fn default() -> Self {
        let deliveries = LabeledCounters::default();
        Self {
            dropped_events: Counter::default(),
            by_result: RESULTS.map(|name| deliveries.get_or_create_owned(&[("result", name)])),
            deliveries,
            duration: Histogram::new(DELIVERY_BUCKETS),
        }
    }
}

impl WebhookMetrics {
    /// Counts an attempt and its duration.
    pub fn record(&self, result: DeliveryResult, duration: Duration) {
        if let Some(counter) = self.by_result.get(result as usize) {
            counter.inc();
        }
        self.duration.observe(duration.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Attempts to deliver an event to a webhook, by result";
        registry.register("webhook_deliveries", help, self.deliveries.clone());
        let help = "Seconds from the start of an attempt to deliver an event to its result";
        registry.register(
            "webhook_delivery_duration_seconds",
            help,
            self.duration.clone(),
        );
        let help = "Events that were dropped because the store had too many that were not in the queue of their webhook yet";
        registry.register("webhook_dropped_events", help, self.dropped_events.clone());
    }
}
