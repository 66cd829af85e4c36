//! Handles that several areas use.

use std::borrow::Borrow;

use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};

use crate::model::statistics::LATENCY_BOUNDS;

/// Counters that differ in the value of one label.
pub(super) type LabeledCounters = Family<[(&'static str, &'static str); 1], Counter>;

/// Increments a gauge until it is dropped.
#[derive(Debug)]
#[must_use = "the gauge is decremented when the guard is dropped"]
pub struct GaugeGuard<G: Borrow<Gauge>>(G);

impl<G: Borrow<Gauge>> GaugeGuard<G> {
    /// Increments `gauge`.
    pub fn new(gauge: G) -> Self {
        gauge.borrow().inc();
        Self(gauge)
    }
}

impl<G: Borrow<Gauge>> Drop for GaugeGuard<G> {
    fn drop(&mut self) {
        self.0.borrow().dec();
    }
}

/// A histogram of durations in seconds.
pub(super) fn duration_histogram() -> Histogram {
    Histogram::new(LATENCY_BOUNDS)
}
