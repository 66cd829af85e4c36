//! Handles that several areas use.

use std::borrow::Borrow;

use prometheus_client::metrics::{
    counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
};

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
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}
