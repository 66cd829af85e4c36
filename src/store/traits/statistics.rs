//! Statistics of all replicas over the last hour and the last day.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    StoreError, Timestamp,
    statistics::{Statistics, StatisticsHistory, StatisticsRange},
};
use crate::store::Clock;

/// The store of the statistics, in a ring of bounded size for each range. A restart of replicas does not change them.
#[async_trait]
pub trait StatisticsStore: Clock {
    /// Merges a sample that was taken `age` ago into the statistics of all ranges. It belongs to the
    /// [`SAMPLE_INTERVAL`](crate::model::statistics::SAMPLE_INTERVAL) before that; `age` is much shorter than each range.
    /// Returns the time at which it was added. One round trip.
    async fn add_statistics(
        &self,
        sample: &Statistics,
        age: Duration,
    ) -> Result<Timestamp, StoreError>;

    /// Returns the statistics of the complete intervals of a range. One round trip.
    async fn statistics(&self, range: StatisticsRange) -> Result<StatisticsHistory, StoreError>;
}
