//! What is counted of calls of the store.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    encode::TextEncoder,
    primitives::{Counter, Gauge, GaugeGuard, Histogram, HistogramSnapshot, Sharded},
};

/// Why calls fail, in the order of [`StoreMetrics::failed`]'s places.
const REASONS: [&str; 8] = [
    "unavailable",
    "busy",
    "unknown",
    "full",
    "conflict",
    "corrupt",
    "denied",
    "bug",
];

static SHARDS: Sharded<StoreMetrics> = Sharded::new();
static POOLS: Mutex<Vec<PoolStats>> = Mutex::new(Vec::new());

/// Connections for small requests that are up.
pub static REDIS_CONNECTIONS: Gauge = Gauge::new();
/// Those that broke.
pub static REDIS_DISCONNECTS: Counter = Counter::new();

/// Bytes of binaries that clients sent and the store has.
pub static BINARY_BYTES_IN: Counter = Counter::new();
/// Those that the store gave and clients are sent.
pub static BINARY_BYTES_OUT: Counter = Counter::new();

/// Tells how many connections of a pool are idle and how many busy; `None` when the pool is gone.
pub type PoolStats = Box<dyn Fn() -> Option<(usize, usize)> + Send>;

/// What one worker counts of its calls.
pub struct StoreMetrics {
    operations: &'static [&'static str],
    calls: Vec<Counter>,
    errors: [Counter; REASONS.len()],
    durations: Histogram,
    in_flight: Gauge,
}

impl StoreMetrics {
    /// Counts for a worker of its own, whose calls are of these kinds.
    #[must_use]
    pub fn new(verbs: &'static [&'static str]) -> Arc<Self> {
        let make = || Self {
            operations: verbs,
            calls: verbs.iter().map(|_| Counter::new()).collect(),
            errors: Default::default(),
            durations: Histogram::default(),
            in_flight: Gauge::new(),
        };
        SHARDS.acquire(|_| true, make)
    }

    /// A call waits, for as long as this is there.
    pub fn track_in_flight(&self) -> GaugeGuard<'_> {
        self.in_flight.track()
    }

    /// A call of the kind at this place is over.
    pub fn operation_finished(&self, verb: usize, took: Duration) {
        if let Some(counter) = self.calls.get(verb) {
            counter.add(1);
        }
        self.durations.record(took);
    }

    /// It failed for this reason.
    pub fn operation_failed(&self, reason: &str) {
        let place = REASONS.iter().position(|known| *known == reason);
        if let Some(counter) = place.and_then(|place| self.errors.get(place)) {
            counter.add(1);
        }
    }
}

/// From now on this pool is told of, until it is gone.
pub fn register_pool(pool: PoolStats) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|pool| pool().is_some());
    pools.push(pool);
}

pub(super) fn write(text: &mut TextEncoder) {
    let mut calls: Vec<(&str, u64)> = Vec::new();
    let (mut failures, mut durations) = ([0; REASONS.len()], HistogramSnapshot::default());
    let mut waiting = 0;
    SHARDS.for_each(|shard| {
        calls.resize(shard.operations.len(), ("", 0));
        let of_shard = shard.operations.iter().zip(&shard.calls);
        for ((name, sum), (verb, counter)) in calls.iter_mut().zip(of_shard) {
            *name = verb;
            *sum += counter.get();
        }
        for (sum, counter) in failures.iter_mut().zip(&shard.errors) {
            *sum += counter.get();
        }
        durations.add(&shard.durations);
        waiting += shard.in_flight.get();
    });

    let mut family = text.counter("store_operations_total", "Calls of the store, by kind.");
    for (kind, count) in calls {
        family.sample(&[("operation", kind)], count);
    }
    let mut family = text.counter("store_errors_total", "Calls that failed, by reason.");
    for (reason, count) in REASONS.iter().zip(failures) {
        family.sample(&[("reason", reason)], count);
    }
    let help = "Time until the store had answered a call.";
    let mut family = text.histogram("store_operation_duration_seconds", help);
    family.histogram_samples(&[], &durations);
    let help = "Calls that wait for the store now.";
    text.gauge("store_operations_in_flight", help)
        .value(waiting);

    let help = "Connections to Redis for small requests that are up.";
    text.gauge("redis_connections", help)
        .value(REDIS_CONNECTIONS.get());
    let help = "Connections to Redis for small requests that broke.";
    text.counter("redis_disconnects_total", help)
        .value(REDIS_DISCONNECTS.get());
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let (idle, busy) = pools
        .iter()
        .filter_map(|pool| pool())
        .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    let help = "Connections to Redis for chunks of binaries, by whether they are in use.";
    let mut family = text.gauge("redis_pool_connections", help);
    family.sample(&[("state", "idle")], idle);
    family.sample(&[("state", "busy")], busy);

    let help = "Bytes of binaries stored and read.";
    let mut family = text.counter("binary_bytes_total", help);
    family.sample(&[("direction", "in")], BINARY_BYTES_IN.get());
    family.sample(&[("direction", "out")], BINARY_BYTES_OUT.get());
}
