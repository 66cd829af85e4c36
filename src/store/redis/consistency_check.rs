//! The consistency check of bookings in Redis. It changes nothing and takes no lock: each group is read
//! atomically, everything else before or after that.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore,
    connection::Node,
    keys,
    scripts::{GROUP_SNAPSHOT, evalsha},
};
use crate::{
    model::{BookedNumber, ConsistencyReport, Group, ServiceId, StoreError, Timestamp},
    store::ConsistencyCheck,
};

/// The number of keys per pipeline.
const BATCH: usize = 500;

/// The numbers, the free numbers, the bookings with their expiration times, and the texts of the
/// bookings.
type GroupSnapshot = (
    Vec<String>,
    Vec<String>,
    Vec<(String, f64)>,
    HashMap<String, String>,
);

#[async_trait]
impl ConsistencyCheck for RedisStore {
    async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError> {
        let mut report = ConsistencyReport::default();
        for group in groups {
            self.check_group_consistency(group, &mut report).await?;
        }
        self.find_leftovers(&mut report).await?;
        Ok(report)
    }
}

impl RedisStore {
    async fn check_group_consistency(
        &self,
        group: &Group,
        report: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        // A snapshot: numbers that are booked or released meanwhile would otherwise seem lost.
        let keys = self.keys.group(&group.name);
        let snapshot = evalsha(&GROUP_SNAPSHOT, &keys);
        let (numbers, free, ends, mut texts): GroupSnapshot = self.redis.query(&snapshot).await?;
        let now = self.redis.now_at(&keys[0])?;
        let mut accounted: HashSet<String> = free.into_iter().collect();
        for batch in ends.chunks(BATCH) {
            let booked: Vec<BookedNumber> = batch
                .iter()
                .filter_map(|(booking, end)| {
                    parse_booked_number(group, *end, &texts.remove(booking)?)
                })
                .collect();
            let services: Vec<&ServiceId> = booked.iter().map(|booked| &booked.service).collect();
            let active = self.services_exist(&services).await?;
            for (booked, active) in booked.into_iter().zip(active) {
                accounted.insert(booked.number.clone());
                if active && booked.until > now {
                    report.booked.push(booked);
                } else {
                    report.orphaned.push(booked);
                }
            }
        }
        let lost = numbers
            .into_iter()
            .filter(|number| !accounted.contains(number));
        report
            .lost
            .extend(lost.map(|number| (group.name.clone(), number)));
        Ok(())
    }

    /// Finds the lists and index entries of ended services. Those that are not due yet belong to
    /// services that are being created or are about to be cleaned up.
    async fn find_leftovers(&self, report: &mut ConsistencyReport) -> Result<(), StoreError> {
        let now = self.redis.now()?.millis();
        for shard in 0..keys::SHARDS {
            let mut due = cmd("ZRANGEBYSCORE");
            due.arg(self.keys.index_shard(shard)).arg("-inf").arg(now);
            let due: Vec<String> = self.redis.query(&due).await?;
            let due: Vec<ServiceId> = due.into_iter().map(ServiceId::from).collect();
            self.report_ended("index entry", &due, report).await?;
        }
        for node in self.redis.nodes() {
            let owned = self.keys.owned_pattern();
            let id = |key: &str| self.keys.owned_service_id(key);
            self.find_leftover_keys(&node, "resource list", owned, id, report)
                .await?;
            let events = self.keys.events_pattern();
            let id = |key: &str| self.keys.events_service_id(key);
            self.find_leftover_keys(&node, "outbox", events, id, report)
                .await?;
        }
        Ok(())
    }

    /// Finds keys of ended services that match `pattern`; `id_of` returns the id in a key.
    async fn find_leftover_keys(
        &self,
        node: &Node,
        kind: &str,
        pattern: String,
        id_of: impl Fn(&str) -> Option<ServiceId>,
        report: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        let now = self.redis.now()?.millis();
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(BATCH);
            let (next, found): (String, Vec<String>) = node.query(&scan).await?;
            let ids: Vec<_> = found.iter().filter_map(|key| id_of(key)).collect();
            let mut ids = self.without_scheduled_cleanup(ids, now).await?;
            ids.dedup();
            self.report_ended(kind, &ids, report).await?;
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Returns those of `ids` that are not scheduled for a later sweep.
    async fn without_scheduled_cleanup(
        &self,
        ids: Vec<ServiceId>,
        now: i64,
    ) -> Result<Vec<ServiceId>, StoreError> {
        let score = |id: &ServiceId| {
            let mut score = cmd("ZSCORE");
            score.arg(self.keys.index(id)).arg(id.as_str());
            score
        };
        let scores: Vec<Option<f64>> = self.query_each(ids.iter().map(score).collect()).await?;
        let both = ids.into_iter().zip(scores);
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds are well below 2^53"
        )]
        let due = both.filter(|(_, score)| score.is_none_or(|score| score <= now as f64));
        Ok(due.map(|(id, _)| id).collect())
    }

    async fn report_ended(
        &self,
        kind: &str,
        ids: &[ServiceId],
        report: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        for batch in ids.chunks(BATCH) {
            let active = self
                .services_exist(&batch.iter().collect::<Vec<_>>())
                .await?;
            let ended = batch.iter().zip(active).filter(|(_, active)| !active);
            report
                .leftovers
                .extend(ended.map(|(id, _)| format!("{kind} of service {id}")));
        }
        Ok(())
    }

    async fn services_exist(&self, ids: &[&ServiceId]) -> Result<Vec<bool>, StoreError> {
        let exists = |id: &&ServiceId| cmd("EXISTS").arg(self.keys.service(id)).to_owned();
        self.query_each(ids.iter().map(exists).collect()).await
    }
}

fn parse_booked_number(group: &Group, end: f64, booking: &str) -> Option<BookedNumber> {
    let mut parts = booking.split('\n');
    let (number, service) = (parts.next()?, parts.nth(1)?);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds are well below 2^53"
    )]
    let until = Timestamp::from_millis(end as i64);
    Some(BookedNumber {
        group: group.name.clone(),
        number: number.to_owned(),
        service: ServiceId::from(service.to_owned()),
        until,
    })
}
