//! The statistics of all replicas.

use std::collections::BTreeMap;

use crate::model::{
    Timestamp,
    statistics::{SAMPLE_INTERVAL, Statistics, StatisticsHistory, StatisticsRange},
};

/// The statistics of each range by the start of the interval.
#[derive(Default)]
pub(in crate::store::memory) struct StatisticsTable(
    [BTreeMap<Timestamp, Statistics>; StatisticsRange::ALL.len()],
);

impl StatisticsTable {
    /// Merges a sample that was taken at this time, and removes intervals that are no longer in their range.
    pub(in crate::store::memory) fn add(&mut self, sample: &Statistics, taken_at: Timestamp) {
        // Samples are taken at the end of an interval.
        let sampled_at = taken_at.before(SAMPLE_INTERVAL / 2);
        for (range, intervals) in StatisticsRange::ALL.iter().zip(&mut self.0) {
            let start = range.interval_start(sampled_at);
            intervals.entry(start).or_default().merge(sample);
            *intervals = intervals.split_off(&start.before(range.duration()));
        }
    }

    pub(in crate::store::memory) fn read(
        &self,
        range: StatisticsRange,
        now: Timestamp,
    ) -> StatisticsHistory {
        let rings = StatisticsRange::ALL.iter().zip(&self.0);
        let intervals = rings
            .filter(|(of, _)| **of == range)
            .flat_map(|(_, all)| all);
        let intervals = intervals.map(|(start, statistics)| (*start, statistics.clone()));
        StatisticsHistory::new(range, now, intervals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rings_are_bounded() {
        let mut table = StatisticsTable::default();
        let sample = Statistics {
            samples: 1,
            ..Statistics::default()
        };
        let start = Timestamp::from_millis(1_795_455_000_000);
        for index in 0..10_000 {
            table.add(&sample, start.after(SAMPLE_INTERVAL * index));
        }
        let now = start.after(SAMPLE_INTERVAL * 10_000);
        for (range, ring) in StatisticsRange::ALL.into_iter().zip(&table.0) {
            assert!(ring.len() <= range.intervals() as usize + 1, "{range:?}");
            let history = table.read(range, now);
            assert_eq!(
                history.intervals.len(),
                range.intervals() as usize,
                "{range:?}"
            );
        }
    }
}
