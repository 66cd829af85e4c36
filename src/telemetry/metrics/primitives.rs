//! What metrics are made of: numbers that are counted up, that rise and fall, and durations.
//!
//! Whoever counts often has a shard of its own ([`Sharded`]), so that counting is an addition in a place
//! that no other thread writes to; whoever asks for the metrics adds the shards up.

use std::{
    array,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A number that only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing counted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts so many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that rises and falls. Of several shards only the sum means anything.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// At nought.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// One more, until what is returned is dropped.
    pub fn track(&self) -> GaugeGuard<'_> {
        self.inc();
        GaugeGuard(self)
    }

    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// One less.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Is 1 or 0 from now on.
    pub fn set(&self, on: bool) {
        self.0.store(i64::from(on), Relaxed);
    }

    pub(super) fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// One more at a [`Gauge`], for as long as it is there.
#[derive(Debug)]
pub struct GaugeGuard<'a>(&'a Gauge);

impl Drop for GaugeGuard<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Upper bounds of the buckets that durations fall into, as they are written, and in nanoseconds.
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

/// How long something took, each time.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// The last one takes what is longer than all bounds.
    buckets: [Counter; BUCKETS.len() + 1],
    nanos: Counter,
}

impl Histogram {
    /// Counts one that took so long.
    pub(super) fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // Most are short, so this looks at one or two.
        let bucket = BUCKETS.iter().position(|(_, bound)| nanos <= *bound);
        if let Some(bucket) = self.buckets.get(bucket.unwrap_or(BUCKETS.len())) {
            bucket.add(1);
        }
        self.nanos.add(nanos);
    }
}

/// The durations of several shards, added up.
#[derive(Debug, Default, Clone)]
pub(super) struct HistogramSnapshot {
    pub(super) buckets: [u64; BUCKETS.len() + 1],
    pub(super) nanos: u64,
}

impl HistogramSnapshot {
    pub(super) fn add(&mut self, durations: &Histogram) {
        let sums = self.buckets.iter().zip(&durations.buckets);
        let sums: Vec<u64> = sums.map(|(sum, more)| sum + more.get()).collect();
        self.buckets = array::from_fn(|at| sums.get(at).copied().unwrap_or_default());
        self.nanos += durations.nanos.get();
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// All there are of some counts, one for each that counts. What was counted stays when its owner goes,
/// and whoever comes next goes on with it.
pub(super) struct Sharded<T>(Mutex<Vec<Arc<T>>>);

impl<T> Sharded<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// One that nobody has and that `fits`, else a new one.
    pub(super) fn acquire(&self, fits: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.all();
        let mut free = all.iter().filter(|shard| Arc::strong_count(shard) == 1);
        if let Some(shard) = free.find(|shard| fits(shard)) {
            return Arc::clone(shard);
        }
        let shard = Arc::new(make());
        all.push(Arc::clone(&shard));
        shard
    }

    /// Looks at each of them.
    pub(super) fn for_each(&self, look: impl FnMut(&Arc<T>)) {
        self.all().iter().for_each(look);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_takes_it() {
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
    fn the_bounds_are_what_they_are_written_as() {
        for (text, nanos) in BUCKETS {
            let written: Duration = Duration::from_secs_f64(text.parse().unwrap());
            assert_eq!(written.as_nanos(), u128::from(nanos), "{text}");
        }
    }

    #[test]
    fn what_was_counted_stays_and_is_gone_on_with() {
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
