//! The statistics of all replicas in Redis: a hash for each range, with a field for each slot of the ring.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore, millis,
    scripts::{ADD_STATISTICS, evalsha},
};
use crate::{
    model::{
        StoreError, Timestamp,
        statistics::{SAMPLE_INTERVAL, Statistics, StatisticsHistory, StatisticsRange},
    },
    store::StatisticsStore,
};

/// Parses the start of an interval, its counts and its gauges, on a line each.
fn parse_slot(slot: &str) -> Option<(Timestamp, Statistics)> {
    let mut lines = slot.splitn(3, '\n');
    let start = Timestamp::from_millis(lines.next()?.parse().ok()?);
    Some((start, Statistics::parse(lines.next()?, lines.next()?)?))
}

#[async_trait]
impl StatisticsStore for RedisStore {
    async fn add_statistics(
        &self,
        sample: &Statistics,
        age: Duration,
    ) -> Result<Timestamp, StoreError> {
        let rings = StatisticsRange::ALL.map(|range| self.keys.statistics(range));
        let mut call = evalsha(&ADD_STATISTICS, &rings);
        // Samples are taken at the end of an interval.
        call.arg(&sample.encode())
            .arg(millis(age + SAMPLE_INTERVAL / 2));
        for range in StatisticsRange::ALL {
            call.arg(millis(range.interval())).arg(range.slots());
        }
        self.redis.query(&call).await.map(Timestamp::from_millis)
    }

    async fn statistics(&self, range: StatisticsRange) -> Result<StatisticsHistory, StoreError> {
        let ring = self.keys.statistics(range);
        let read = cmd("HGETALL").arg(&ring).to_owned();
        // Slots of versions with other counts are skipped.
        let slots: HashMap<String, String> = self.redis.query(&read).await?;
        let intervals = slots.values().filter_map(|slot| parse_slot(slot));
        let now = self.redis.now_at(&ring)?;
        Ok(StatisticsHistory::new(range, now, intervals))
    }
}
