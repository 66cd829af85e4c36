//! Durations, counted in fixed buckets.

/// The upper bounds of the buckets in seconds. The last bucket has none.
pub const LATENCY_BOUNDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The number of durations in each bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies(pub(super) [u64; Latencies::LEN]);

impl Latencies {
    /// The number of buckets.
    pub(super) const LEN: usize = LATENCY_BOUNDS.len() + 1;

    pub(super) fn from_fn(mut next: impl FnMut() -> u64) -> Self {
        Self(std::array::from_fn(|_| next()))
    }

    /// Adds durations that are at most `bound` seconds, and greater than the bound before. Other bounds than those of
    /// [`LATENCY_BOUNDS`] count in the next larger bucket.
    pub fn add(&mut self, bound: f64, durations: u64) {
        let bucket = LATENCY_BOUNDS.iter().position(|known| *known >= bound);
        let bucket = self.0.get_mut(bucket.unwrap_or(LATENCY_BOUNDS.len()));
        if let Some(count) = bucket {
            *count = count.saturating_add(durations);
        }
    }

    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The quantile in seconds, interpolated within its bucket; that of the last bucket is its lower bound. `None` if
    /// there are no durations.
    #[must_use]
    pub fn quantile(&self, permille: u16) -> Option<f64> {
        let rank = to_f64(self.count()) * f64::from(permille) / 1_000.0;
        let (mut below, mut lower) = (0.0, 0.0);
        if self.count() == 0 {
            return None;
        }
        for (count, upper) in self.0.iter().zip(LATENCY_BOUNDS) {
            let count = to_f64(*count);
            if count > 0.0 && below + count >= rank {
                return Some(lower + (upper - lower) * (rank - below) / count);
            }
            (below, lower) = (below + count, upper);
        }
        Some(lower)
    }
}

fn to_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
