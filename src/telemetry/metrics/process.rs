//! Metrics of the whole process, updated too rarely to need shards.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{
    super::log,
    encode::TextEncoder,
    primitives::{Counter, Gauge},
};

/// Whether this replica is the cleanup leader.
pub static CLEANUP_LEADER: Gauge = Gauge::new();
/// Ended services that this replica has cleaned up.
pub static CLEANUP_SERVICES: Counter = Counter::new();
/// Cleanup steps that failed because of a store error.
pub static CLEANUP_ERRORS: Counter = Counter::new();
/// Redis servers that should send keyspace notifications to this replica.
pub static KEYSPACE_LISTENERS_EXPECTED: Gauge = Gauge::new();
/// Redis servers that send keyspace notifications to this replica.
pub static KEYSPACE_LISTENERS_SUBSCRIBED: Gauge = Gauge::new();

/// Whether this replica is the cleanup leader.
#[must_use]
pub fn is_cleanup_leader() -> bool {
    CLEANUP_LEADER.get() > 0
}

/// Whether all Redis servers that should send keyspace notifications to this replica do so.
#[must_use]
pub fn keyspace_notifications_enabled() -> bool {
    KEYSPACE_LISTENERS_SUBSCRIBED.get() >= KEYSPACE_LISTENERS_EXPECTED.get()
}

/// The difference between the clock of this machine and that of the store; `None` if unknown.
static CLOCK_SKEW: Mutex<Option<f64>> = Mutex::new(None);

/// Sets by how many seconds the clock of this machine is ahead of that of the store.
pub fn set_clock_skew(seconds: Option<f64>) {
    *CLOCK_SKEW.lock().unwrap_or_else(PoisonError::into_inner) = seconds;
}

static CATALOG_ENTRIES_LOST: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of catalog entries that the store has lost and this replica can restore.
pub fn set_catalog_entries_lost(entries: usize) {
    CATALOG_ENTRIES_LOST.store(entries, Relaxed);
}

/// See [`set_catalog_entries_lost`].
#[must_use]
pub fn catalog_entries_lost() -> usize {
    CATALOG_ENTRIES_LOST.load(Relaxed)
}

/// The outcome of a request to a backend.
#[derive(Debug, Clone, Copy)]
pub enum BackendOutcome {
    /// A successful response.
    Success,
    /// A response with another status.
    HttpError,
    /// Not sent, because the circuit breaker is open.
    CircuitOpen,
    /// No connection within the timeout.
    ConnectError,
    /// No complete response within the timeout.
    Timeout,
    /// The connection was lost.
    ConnectionError,
    /// The response exceeds the size limit.
    ResponseTooLarge,
}

const BACKEND_OUTCOMES: [&str; 7] = [
    "success",
    "http_error",
    "circuit_open",
    "connect_error",
    "timeout",
    "connection_error",
    "response_too_large",
];

static BACKEND_REQUESTS: [Counter; BACKEND_OUTCOMES.len()] =
    [const { Counter::new() }; BACKEND_OUTCOMES.len()];

impl BackendOutcome {
    /// Counts one request with this outcome.
    pub fn count(self) {
        if let Some(counter) = BACKEND_REQUESTS.get(self as usize) {
            counter.add(1);
        }
    }

    /// The value of the label `outcome`.
    #[must_use]
    pub fn name(self) -> &'static str {
        BACKEND_OUTCOMES
            .get(self as usize)
            .copied()
            .unwrap_or_default()
    }
}

/// The outcome of the export of spans.
#[derive(Debug, Clone, Copy)]
pub enum SpanOutcome {
    /// The collector accepted them.
    Exported,
    /// The export failed.
    Failed,
    /// The queue was full.
    Dropped,
}

const SPAN_OUTCOMES: [&str; 3] = ["exported", "failed", "dropped"];

static SPANS: [Counter; SPAN_OUTCOMES.len()] = [const { Counter::new() }; SPAN_OUTCOMES.len()];

impl SpanOutcome {
    /// Counts `spans` with this outcome.
    pub fn count(self, spans: usize) {
        if let Some(counter) = SPANS.get(self as usize) {
            counter.add(spans as u64);
        }
    }
}

pub(super) fn write(text: &mut TextEncoder) {
    let help = "1 on the cleanup leader, 0 on other replicas.";
    text.gauge("cleanup_leader", help)
        .value(CLEANUP_LEADER.get());
    let help = "Ended services that were cleaned up.";
    text.counter("cleanup_services_total", help)
        .value(CLEANUP_SERVICES.get());
    let help = "Cleanup steps that failed because of a store error.";
    text.counter("cleanup_errors_total", help)
        .value(CLEANUP_ERRORS.get());
    let help = "1 if keyspace notifications arrive from all Redis servers that should send them, 0 if only the \
                sweep finds ended services.";
    let (subscribed, expected) = (
        KEYSPACE_LISTENERS_SUBSCRIBED.get(),
        KEYSPACE_LISTENERS_EXPECTED.get(),
    );
    text.gauge("keyspace_notifications_enabled", help)
        .value(u8::from(expected > 0 && subscribed >= expected));
    let skew = *CLOCK_SKEW.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(skew) = skew {
        let help = "Seconds by which the clock of this replica is ahead of the clock of Redis.";
        text.gauge("clock_skew_seconds", help).value(skew);
    }
    let help = "Catalog entries that the store has lost and this replica can restore.";
    text.gauge("catalog_entries_lost", help)
        .value(catalog_entries_lost());
    let help = "Requests to backends, by outcome.";
    let mut family = text.counter("backend_requests_total", help);
    for (outcome, counter) in BACKEND_OUTCOMES.iter().zip(&BACKEND_REQUESTS) {
        family.sample(&[("outcome", outcome)], counter.get());
    }
    let help = "Log lines dropped because the buffer was full.";
    text.counter("log_lines_dropped_total", help)
        .value(log::dropped_lines());
    let help = "Spans of traced requests, by the outcome of their export.";
    let mut family = text.counter("trace_spans_total", help);
    for (outcome, counter) in SPAN_OUTCOMES.iter().zip(&SPANS) {
        family.sample(&[("outcome", outcome)], counter.get());
    }
}
