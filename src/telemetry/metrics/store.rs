//! Metrics of store operations.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    encode::TextEncoder,
    primitives::{Counter, Gauge, GaugeGuard, Histogram, HistogramSnapshot, Sharded},
};

/// The values of the label `reason`, in the order of [`StoreMetrics::errors`].
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

/// Open multiplexed connections.
pub static REDIS_CONNECTIONS: Gauge = Gauge::new();
/// Multiplexed connections that were lost.
pub static REDIS_DISCONNECTS: Counter = Counter::new();

/// Bytes of binaries that were written to the store.
pub static BINARY_BYTES_IN: Counter = Counter::new();
/// Bytes of binaries that were read from the store.
pub static BINARY_BYTES_OUT: Counter = Counter::new();

/// Returns the number of idle and busy connections of a pool, and `None` if the pool no longer exists.
pub type PoolStats = Box<dyn Fn() -> Option<(usize, usize)> + Send>;

/// The metrics of one worker.
pub struct StoreMetrics {
    operations: &'static [&'static str],
    counts: Vec<Counter>,
    errors: [Counter; REASONS.len()],
    durations: Histogram,
    in_flight: Gauge,
}

impl StoreMetrics {
    /// Metrics for one worker with these operations.
    #[must_use]
    pub fn new(operations: &'static [&'static str]) -> Arc<Self> {
        let make = || Self {
            operations,
            counts: operations.iter().map(|_| Counter::new()).collect(),
            errors: Default::default(),
            durations: Histogram::default(),
            in_flight: Gauge::new(),
        };
        SHARDS.acquire(|_| true, make)
    }

    /// Counts an operation as in flight until the guard is dropped.
    pub fn track_in_flight(&self) -> GaugeGuard<'_> {
        self.in_flight.track()
    }

    /// Counts a finished operation, by its index.
    pub fn operation_finished(&self, operation: usize, duration: Duration) {
        if let Some(counter) = self.counts.get(operation) {
            counter.add(1);
        }
        self.durations.record(duration);
    }

    /// Counts a failed operation.
    pub fn operation_failed(&self, reason: &str) {
        let index = REASONS.iter().position(|known| *known == reason);
        if let Some(counter) = index.and_then(|index| self.errors.get(index)) {
            counter.add(1);
        }
    }
}

/// Exports the connections of a pool for as long as the pool exists.
pub fn register_pool(pool: PoolStats) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|pool| pool().is_some());
    pools.push(pool);
}

pub(super) fn write(text: &mut TextEncoder) {
    let mut operations: Vec<(&str, u64)> = Vec::new();
    let (mut errors, mut durations) = ([0; REASONS.len()], HistogramSnapshot::default());
    let mut in_flight = 0;
    SHARDS.for_each(|shard| {
        operations.resize(shard.operations.len(), ("", 0));
        let counts = shard.operations.iter().zip(&shard.counts);
        for ((name, sum), (operation, counter)) in operations.iter_mut().zip(counts) {
            *name = operation;
            *sum += counter.get();
        }
        for (sum, counter) in errors.iter_mut().zip(&shard.errors) {
            *sum += counter.get();
        }
        durations.add(&shard.durations);
        in_flight += shard.in_flight.get();
    });

    let help = "Store operations, by name.";
    let mut family = text.counter("store_operations_total", help);
    for (operation, count) in operations {
        family.sample(&[("operation", operation)], count);
    }
    let mut family = text.counter("store_errors_total", "Failed store operations, by reason.");
    for (reason, count) in REASONS.iter().zip(errors) {
        family.sample(&[("reason", reason)], count);
    }
    let help = "Duration of store operations.";
    let mut family = text.histogram("store_operation_duration_seconds", help);
    family.histogram_samples(&[], &durations);
    let help = "Store operations in flight.";
    text.gauge("store_operations_in_flight", help)
        .value(in_flight);

    let help = "Open multiplexed connections to Redis.";
    text.gauge("redis_connections", help)
        .value(REDIS_CONNECTIONS.get());
    let help = "Multiplexed connections to Redis that were lost.";
    text.counter("redis_disconnects_total", help)
        .value(REDIS_DISCONNECTS.get());
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let (idle, busy) = pools
        .iter()
        .filter_map(|pool| pool())
        .fold((0, 0), |sum, pool| (sum.0 + pool.0, sum.1 + pool.1));
    let help = "Pooled connections to Redis, by state.";
    let mut family = text.gauge("redis_pool_connections", help);
    family.sample(&[("state", "idle")], idle);
    family.sample(&[("state", "busy")], busy);

    let help =
        "Bytes of binaries, by direction: in (written to the store), out (read from the store).";
    let mut family = text.counter("binary_bytes_total", help);
    family.sample(&[("direction", "in")], BINARY_BYTES_IN.get());
    family.sample(&[("direction", "out")], BINARY_BYTES_OUT.get());
}
