//! The statistics in the embedded store.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{
        StoreError, Timestamp,
        statistics::{Statistics, StatisticsHistory, StatisticsRange},
    },
    store::StatisticsStore,
};

#[async_trait]
impl StatisticsStore for MemoryStore {
    async fn add_statistics(
        &self,
        sample: &Statistics,
        age: Duration,
    ) -> Result<Timestamp, StoreError> {
        let now = self.clock.now();
        self.state().statistics.add(sample, now.before(age));
        Ok(now)
    }

    async fn statistics(&self, range: StatisticsRange) -> Result<StatisticsHistory, StoreError> {
        let now = self.clock.now();
        Ok(self.state().statistics.read(range, now))
    }
}
