//! What is counted once for the whole process, seldom enough to need no shards.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::{
    super::log,
    encode::TextEncoder,
    primitives::{Counter, Gauge},
};

/// Whether this replica cleans up after services.
pub static CLEANUP_LEADER: Gauge = Gauge::new();
/// Ended services whose holdings this replica has given back.
pub static CLEANUP_SERVICES: Counter = Counter::new();
/// Steps of the clean-up that the store did not let be done.
pub static CLEANUP_FAILURES: Counter = Counter::new();
/// Servers of the store that are to tell this replica of services that end.
pub static KEYSPACE_LISTENERS_EXPECTED: Gauge = Gauge::new();
/// Those of them that do.
pub static KEYSPACE_LISTENERS_SUBSCRIBED: Gauge = Gauge::new();

/// Whether this replica cleans up after services.
#[must_use]
pub fn is_cleanup_leader() -> bool {
    CLEANUP_LEADER.get() > 0
}

/// Whether every server of the store that is to tell this replica of services that end does.
#[must_use]
pub fn keyspace_notifications_enabled() -> bool {
    KEYSPACE_LISTENERS_SUBSCRIBED.get() >= KEYSPACE_LISTENERS_EXPECTED.get()
}

/// The difference between the clock of this machine and that of the store; `None` while it is not
/// known.
static CLOCK_SKEW: Mutex<Option<f64>> = Mutex::new(None);

/// From now on the clock of this machine is so many seconds ahead of that of the store.
pub fn set_clock_skew(seconds: Option<f64>) {
    *CLOCK_SKEW.lock().unwrap_or_else(PoisonError::into_inner) = seconds;
}

static CATALOG_ENTRIES_LOST: AtomicUsize = AtomicUsize::new(0);

/// How many entries of the catalog the store has lost that this replica still knows.
pub fn set_catalog_entries_lost(entries: usize) {
    CATALOG_ENTRIES_LOST.store(entries, Relaxed);
}

/// See [`set_catalog_entries_lost`].
#[must_use]
pub fn catalog_entries_lost() -> usize {
    CATALOG_ENTRIES_LOST.load(Relaxed)
}

/// What became of an attempt to ask a backend.
#[derive(Debug, Clone, Copy)]
pub enum BackendOutcome {
    /// It answered with success.
    Answered,
    /// It answered with any other status.
    HttpError,
    /// Its circuit is open: it was not asked.
    CircuitOpen,
    /// No connection stood in time.
    ConnectError,
    /// It did not answer in time.
    TimedOut,
    /// The connection broke.
    ConnectionError,
    /// Its answer was too long.
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
    /// Counts it.
    pub fn count(self) {
        if let Some(counter) = BACKEND_REQUESTS.get(self as usize) {
            counter.add(1);
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        BACKEND_OUTCOMES
            .get(self as usize)
            .copied()
            .unwrap_or_default()
    }
}

/// What became of spans of traces.
#[derive(Debug, Clone, Copy)]
pub enum SpanOutcome {
    /// The collector has them.
    Exported,
    /// It could not be told.
    Failed,
    /// Too many waited already.
    Dropped,
}

const SPAN_OUTCOMES: [&str; 3] = ["exported", "failed", "dropped"];

static SPANS: [Counter; SPAN_OUTCOMES.len()] = [const { Counter::new() }; SPAN_OUTCOMES.len()];

impl SpanOutcome {
    /// Counts so many.
    pub fn count(self, spans: usize) {
        if let Some(counter) = SPANS.get(self as usize) {
            counter.add(spans as u64);
        }
    }
}

pub(super) fn write(text: &mut TextEncoder) {
    let help = "1 on the replica that cleans up after services.";
    text.gauge("cleanup_leader", help)
        .value(CLEANUP_LEADER.get());
    let help = "Ended services whose holdings were given back.";
    text.counter("cleanup_services_total", help)
        .value(CLEANUP_SERVICES.get());
    let help = "Steps of the clean-up that the store did not let be done.";
    text.counter("cleanup_errors_total", help)
        .value(CLEANUP_FAILURES.get());
    let help = "1 where the store tells of services that end, 0 where only the sweep finds them.";
    let (telling, asked) = (
        KEYSPACE_LISTENERS_SUBSCRIBED.get(),
        KEYSPACE_LISTENERS_EXPECTED.get(),
    );
    text.gauge("keyspace_notifications_enabled", help)
        .value(u8::from(asked > 0 && telling >= asked));
    let skew = *CLOCK_SKEW.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(skew) = skew {
        let help = "Seconds by which the clock of this replica is ahead of that of Redis.";
        text.gauge("clock_skew_seconds", help).value(skew);
    }
    let help = "Catalog entries that the store has lost and this replica can restore.";
    text.gauge("catalog_entries_lost", help)
        .value(catalog_entries_lost());
    let help = "Attempts to ask a backend, by outcome.";
    let mut family = text.counter("backend_requests_total", help);
    for (outcome, counter) in BACKEND_OUTCOMES.iter().zip(&BACKEND_REQUESTS) {
        family.sample(&[("outcome", outcome)], counter.get());
    }
    let help = "Lines of the log that nobody took in time.";
    text.counter("log_lines_dropped_total", help)
        .value(log::dropped_lines());
    let help = "Spans of traced requests, by what became of them.";
    let mut family = text.counter("trace_spans_total", help);
    for (outcome, counter) in SPAN_OUTCOMES.iter().zip(&SPANS) {
        family.sample(&[("outcome", outcome)], counter.get());
    }
}
