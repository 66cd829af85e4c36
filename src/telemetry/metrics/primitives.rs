//! Counters, gauges and histograms.
//!
//! A thread that counts often has a shard of its own ([`Sharded`]): counting is an addition in memory
//! that no other thread writes. The encoder sums up the shards.

use std::{
    array,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A number that only increases.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that increases and decreases. Of several shards only the sum is meaningful.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// A gauge at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// Increments the gauge until the returned guard is dropped.
    pub fn track(&self) -> GaugeGuard<'_> {
        self.inc();
        GaugeGuard(self)
    }

    /// Increments the gauge.
    pub fn inc(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Decrements the gauge.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Sets the gauge to 1 or 0.
    pub fn set(&self, value: bool) {
        self.0.store(i64::from(value), Relaxed);
    }

    pub(super) fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Decrements a [`Gauge`] on drop.
#[derive(Debug)]
pub struct GaugeGuard<'a>(&'a Gauge);

impl Drop for GaugeGuard<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Upper bounds of the histogram buckets, as text in seconds and in nanoseconds.
pub(super) const BUCKETS: [(&str, u64); 14] = [
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("5", 5_000_000_000),
    ("10", 10_000_000_000),
];

/// Durations, counted in buckets.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// The last bucket is for durations above all bounds.
    buckets: [Counter; BUCKETS.len() + 1],
    nanos: Counter,
}

impl Histogram {
    /// Records one duration.
    pub(super) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Most durations are short, so the search ends after one or two bounds.
        let bucket = BUCKETS.iter().position(|(_, bound)| nanos <= *bound);
        if let Some(bucket) = self.buckets.get(bucket.unwrap_or(BUCKETS.len())) {
            bucket.add(1);
        }
        self.nanos.add(nanos);
    }
}

/// The sum of the histograms of several shards.
#[derive(Debug, Default, Clone)]
pub(super) struct HistogramSnapshot {
    pub(super) buckets: [u64; BUCKETS.len() + 1],
    pub(super) nanos: u64,
}

impl HistogramSnapshot {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        let sums = self.buckets.iter().zip(&histogram.buckets);
        let sums: Vec<u64> = sums.map(|(sum, counter)| sum + counter.get()).collect();
        self.buckets = array::from_fn(|index| sums.get(index).copied().unwrap_or_default());
        self.nanos += histogram.nanos.get();
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// All shards of some metrics, one per writer. The counts of a shard remain when its writer ends; the
/// next writer reuses the shard.
pub(super) struct Sharded<T>(Mutex<Vec<Arc<T>>>);

impl<T> Sharded<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// A free shard that `matches`, otherwise a new one.
    pub(super) fn acquire(&self, matches: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.all();
        let mut free = all.iter().filter(|shard| Arc::strong_count(shard) == 1);
        if let Some(shard) = free.find(|shard| matches(shard)) {
            return Arc::clone(shard);
        }
        let shard = Arc::new(make());
        all.push(Arc::clone(&shard));
        shard
    }

    /// Calls `visit` for each shard.
    pub(super) fn for_each(&self, visit: impl FnMut(&Arc<T>)) {
        self.all().iter().for_each(visit);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_with_a_sufficient_bound() {
        let durations = Histogram::default();
        for micros in [0, 500, 501, 2_500, 9_999_999, 10_000_000, 10_000_001] {
            durations.record(Duration::from_micros(micros));
        }
        let mut sum = HistogramSnapshot::default();
        sum.add(&durations);
        assert_eq!(sum.buckets, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(sum.count(), 7);
        assert_eq!(sum.nanos, 30_003_501_000);
    }

    #[test]
    fn the_text_and_the_nanoseconds_of_each_bound_are_equal() {
        for (text, nanos) in BUCKETS {
            let parsed: Duration = Duration::from_secs_f64(text.parse().unwrap());
            assert_eq!(parsed.as_nanos(), u128::from(nanos), "{text}");
        }
    }

    #[test]
    fn a_free_shard_is_reused_with_its_counts() {
        let shards: Sharded<Counter> = Sharded::new();
        let first = shards.acquire(|_| true, Counter::new);
        let second = shards.acquire(|_| true, Counter::new);
        first.add(1);
        second.add(2);
        drop(first);
        shards.acquire(|_| true, Counter::new).add(4);
        let mut counts = Vec::new();
        shards.for_each(|shard| counts.push(shard.get()));
        assert_eq!(counts, [5, 2]);
    }
}
