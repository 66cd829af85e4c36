//! Metrics of store operations and of binaries.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::handles::{GaugeGuard, LabeledCounters, duration_histogram};

/// The values of the label `reason`.
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

/// Store operations.
#[derive(Debug, Clone)]
pub struct StoreMetrics {
    operations: LabeledCounters,
    errors: LabeledCounters,
    durations: Histogram,
    in_flight: Gauge,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            operations: LabeledCounters::default(),
            errors: LabeledCounters::default(),
            durations: duration_histogram(),
            in_flight: Gauge::default(),
        }
    }
}

impl StoreMetrics {
    /// The metrics of a store with these operations.
    #[must_use]
    pub fn for_operations(&self, operations: &[&'static str]) -> OperationMetrics {
        let (all, errors) = (&self.operations, &self.errors);
        let count = |name: &&'static str| all.get_or_create_owned(&[("operation", *name)]);
        OperationMetrics {
            operations: operations.iter().map(count).collect(),
            errors: REASONS.map(|name| (name, errors.get_or_create_owned(&[("reason", name)]))),
            durations: self.durations.clone(),
            in_flight: self.in_flight.clone(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let (help, operations) = ("Store operations, by name", self.operations.clone());
        registry.register("store_operations", help, operations);
        let (help, errors) = ("Failed store operations, by reason", self.errors.clone());
        registry.register("store_errors", help, errors);
        let (help, durations) = ("Duration of store operations", self.durations.clone());
        registry.register("store_operation_duration_seconds", help, durations);
        let (help, in_flight) = ("Store operations in flight", self.in_flight.clone());
        registry.register("store_operations_in_flight", help, in_flight);
    }
}

/// The metrics of the operations of one store.
#[derive(Debug)]
pub struct OperationMetrics {
    /// By the index of the operation.
    operations: Vec<Counter>,
    errors: [(&'static str, Counter); REASONS.len()],
    durations: Histogram,
    in_flight: Gauge,
}

impl OperationMetrics {
    /// Counts an operation as in flight until the guard is dropped.
    pub fn track_in_flight(&self) -> GaugeGuard<&Gauge> {
        GaugeGuard::new(&self.in_flight)
    }

    /// Counts a finished operation, by its index.
    pub fn operation_finished(&self, operation: usize, duration: Duration) {
        if let Some(counter) = self.operations.get(operation) {
            counter.inc();
        }
        self.durations.observe(duration.as_secs_f64());
    }

    /// Counts a failed operation.
    pub fn operation_failed(&self, reason: &str) {
        let counter = self.errors.iter().find(|(known, _)| *known == reason);
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}

/// Bytes of binaries.
#[derive(Debug, Clone)]
pub struct BinaryMetrics {
    bytes: LabeledCounters,
    /// Bytes that were written to the store.
    pub bytes_in: Counter,
    /// Bytes that were read from the store.
    pub bytes_out: Counter,
}

impl Default for BinaryMetrics {
    fn default() -> Self {
        let bytes = LabeledCounters::default();
        Self {
            bytes_in: bytes.get_or_create_owned(&[("direction", "in")]),
            bytes_out: bytes.get_or_create_owned(&[("direction", "out")]),
            bytes,
        }
    }
}

impl BinaryMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help =
            "Bytes of binaries, by direction: in (written to the store), out (read from the store)";
        registry.register("binary_bytes", help, self.bytes.clone());
    }
}
