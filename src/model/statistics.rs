//! Statistics of all replicas in intervals of time, for the charts of the console.
//!
//! Every replica adds a sample of itself every [`SAMPLE_INTERVAL`]. Samples of one interval are merged: counts are added,
//! of gauges the largest value remains. Merging is associative and commutative, so the order of samples does not matter.

use std::time::Duration;

use super::Timestamp;

pub use self::latencies::{LATENCY_BOUNDS, Latencies};

mod latencies;

/// The interval between the samples of a replica.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);
/// The time after the end of an interval until the samples of all replicas are expected to be merged.
const COMPLETION_DELAY: Duration = Duration::from_secs(2);
/// The number of counts in the encoded form: samples, outcomes, failed matches, and two sets of latencies.
const COUNTS: usize = 1 + OUTCOMES + 1 + 2 * Latencies::LEN;
/// The number of gauges in the encoded form.
const GAUGES: usize = 4;
/// The number of outcomes of requests.
const OUTCOMES: usize = 3;
/// An unknown gauge in the encoded form; less than every value.
const UNKNOWN: i64 = -1;

/// A range of time up to now, divided into intervals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatisticsRange {
    /// The last hour.
    #[default]
    Hour,
    /// The last day.
    Day,
}

impl StatisticsRange {
    /// All ranges.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// The name in URLs and keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The range with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.name() == name)
    }

    /// The length of an interval.
    #[must_use]
    pub fn interval(self) -> Duration {
        match self {
            Self::Hour => SAMPLE_INTERVAL,
            Self::Day => Duration::from_secs(300),
        }
    }

    /// The number of intervals.
    #[must_use]
    pub fn intervals(self) -> u32 {
        match self {
            Self::Hour => 360,
            Self::Day => 288,
        }
    }

    /// The number of slots of its ring: the complete intervals, and the one in progress.
    #[must_use]
    pub fn slots(self) -> u32 {
        self.intervals() + 1
    }

    /// The whole range.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.interval() * self.intervals()
    }

    /// The start of the interval that contains `time`.
    #[must_use]
    pub fn interval_start(self, time: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(time.millis() - time.millis().rem_euclid(interval))
    }

    /// The end of the last complete interval at `now`.
    #[must_use]
    pub fn end(self, now: Timestamp) -> Timestamp {
        self.interval_start(now.before(COMPLETION_DELAY))
    }
}

/// Statistics of an interval, or totals since the start of a replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The number of samples with counts, each of one replica. Without any, the counts are unknown: the replicas record
    /// no metrics.
    pub samples: u64,
    /// Responses with a status below 400.
    pub successes: u64,
    /// Responses with a status from 400 to 499.
    pub client_errors: u64,
    /// Responses with a status of 500 or more.
    pub server_errors: u64,
    /// Calls that matched no booking.
    pub failed_matches: u64,
    /// Times until the responses.
    pub requests: Latencies,
    /// Durations of store operations.
    pub operations: Latencies,
    /// Active services.
    pub active_services: Option<u64>,
    /// Booked numbers.
    pub bookings: Option<u64>,
    /// The cleanup lag in milliseconds.
    pub cleanup_lag_ms: Option<u64>,
    /// The round trip of one command to the store in microseconds.
    pub round_trip_us: Option<u64>,
}

impl Statistics {
    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        let mut counts = self.counts();
        for (count, more) in counts.iter_mut().zip(other.counts()) {
            *count = count.saturating_add(more);
        }
        let mut gauges = self.gauges();
        for (gauge, other) in gauges.iter_mut().zip(other.gauges()) {
            *gauge = (*gauge).max(other);
        }
        *self = Self::from_parts(&counts, &gauges);
    }

    /// The counts since `earlier`, with the gauges of this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts();
        for (count, before) in counts.iter_mut().zip(earlier.counts()) {
            *count = count.saturating_sub(before);
        }
        Self::from_parts(&counts, &self.gauges())
    }

    /// The cleanup lag.
    #[must_use]
    pub fn cleanup_lag(&self) -> Option<Duration> {
        self.cleanup_lag_ms.map(Duration::from_millis)
    }

    /// The round trip of one command to the store.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip_us.map(Duration::from_micros)
    }

    /// The counts and the gauges, each separated by spaces. The order is that in the store and never changes.
    #[must_use]
    pub fn encode(&self) -> [String; 2] {
        let counts = self.counts().map(|count| count.to_string());
        let gauges = self.gauges();
        let gauges =
            gauges.map(|gauge| gauge.map_or(UNKNOWN.to_string(), |gauge| gauge.to_string()));
        [counts.join(" "), gauges.join(" ")]
    }

    /// Parses the result of [`encode`](Self::encode).
    #[must_use]
    pub fn parse(counts: &str, gauges: &str) -> Option<Self> {
        let counts: Option<Vec<u64>> = counts.split(' ').map(|text| text.parse().ok()).collect();
        let gauges: Option<Vec<i64>> = gauges.split(' ').map(|text| text.parse().ok()).collect();
        let gauges = gauges?.into_iter().map(|gauge| u64::try_from(gauge).ok());
        let gauges: Vec<Option<u64>> = gauges.collect();
        let (counts, gauges) = (counts?.try_into().ok()?, gauges.try_into().ok()?);
        Some(Self::from_parts(&counts, &gauges))
    }

    fn counts(&self) -> [u64; COUNTS] {
        let mut counts = [0; COUNTS];
        let single = [
            self.samples,
            self.successes,
            self.client_errors,
            self.server_errors,
            self.failed_matches,
        ];
        let latencies = self.requests.0.into_iter().chain(self.operations.0);
        for (count, value) in counts.iter_mut().zip(single.into_iter().chain(latencies)) {
            *count = value;
        }
        counts
    }

    fn gauges(&self) -> [Option<u64>; GAUGES] {
        [
            self.active_services,
            self.bookings,
            self.cleanup_lag_ms,
            self.round_trip_us,
        ]
    }

    fn from_parts(counts: &[u64; COUNTS], gauges: &[Option<u64>; GAUGES]) -> Self {
        let mut counts = counts.iter().copied();
        let mut next = || counts.next().unwrap_or_default();
        let [active_services, bookings, cleanup_lag_ms, round_trip_us] = *gauges;
        Self {
            samples: next(),
            successes: next(),
            client_errors: next(),
            server_errors: next(),
            failed_matches: next(),
            requests: Latencies::from_fn(&mut next),
            operations: Latencies::from_fn(&mut next),
            active_services,
            bookings,
            cleanup_lag_ms,
            round_trip_us,
        }
    }
}

/// The statistics of a range. Intervals without a sample are absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsHistory {
    /// The range.
    pub range: StatisticsRange,
    /// The end of the last complete interval.
    pub until: Timestamp,
    /// The start of each interval and its statistics, oldest first.
    pub intervals: Vec<(Timestamp, Statistics)>,
}

impl StatisticsHistory {
    /// The complete ones of these intervals at `now` that are within the range.
    #[must_use]
    pub fn new(
        range: StatisticsRange,
        now: Timestamp,
        intervals: impl Iterator<Item = (Timestamp, Statistics)>,
    ) -> Self {
        let until = range.end(now);
        let mut history = Self {
            range,
            until,
            intervals: Vec::new(),
        };
        let whole_range = history.start()..history.until;
        let within = intervals.filter(|(start, _)| whole_range.contains(start));
        history.intervals = within.collect();
        history.intervals.sort_by_key(|(start, _)| *start);
        history
    }

    /// The start of the range.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.until.before(self.range.duration())
    }
}

#[cfg(test)]
mod tests;
