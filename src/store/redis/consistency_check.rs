//! The books, looked through for an operator. Nothing is changed, and no lock is held: each group is told
//! as it was at one moment, and the rest as it was before or after.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use redis::cmd;

use super::{
    RedisStore,
    connection::Node,
    keys,
    scripts::{GROUP_SNAPSHOT, evalsha},
};
use crate::store::{BookedNumber, ConsistencyReport, Group, ServiceId, StoreError, Timestamp};

/// Keys asked about in one go.
const BATCH: usize = 500;

/// Numbers, free ones, bookings with their ends, and what each is.
type GroupSnapshot = (
    Vec<String>,
    Vec<String>,
    Vec<(String, f64)>,
    HashMap<String, String>,
);

impl RedisStore {
    pub(super) async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError> {
        let mut audit = ConsistencyReport::default();
        for group in groups {
            self.check_group_consistency(group, &mut audit).await?;
        }
        self.find_leftovers(&mut audit).await?;
        Ok(audit)
    }

    async fn check_group_consistency(
        &self,
        group: &Group,
        audit: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        // Of one moment, or what changes hands meanwhile would seem to be lost.
        let keys = self.keys.group(&group.name);
        let books = evalsha(&GROUP_SNAPSHOT, &keys);
        let (numbers, free, ends, mut texts): GroupSnapshot = self.redis.query(&books).await?;
        let now = self.redis.now_at(&keys[0])?;
        let mut accounted: HashSet<String> = free.into_iter().collect();
        for batch in ends.chunks(BATCH) {
            let held: Vec<BookedNumber> = batch
                .iter()
                .filter_map(|(booking, end)| {
                    parse_booked_number(group, *end, &texts.remove(booking)?)
                })
                .collect();
            let services: Vec<&ServiceId> = held.iter().map(|held| &held.service).collect();
            let alive = self.services_exist(&services).await?;
            for (held, alive) in held.into_iter().zip(alive) {
                accounted.insert(held.number.clone());
                if alive && held.until > now {
                    audit.booked.push(held);
                } else {
                    audit.orphaned.push(held);
                }
            }
        }
        let lost = numbers
            .into_iter()
            .filter(|number| !accounted.contains(number));
        audit
            .lost
            .extend(lost.map(|number| (group.name.clone(), number)));
        Ok(())
    }

    /// Lists and index entries of services that are over. Those whose time to be looked after has not
    /// come are being made, or are about to be given back.
    async fn find_leftovers(&self, audit: &mut ConsistencyReport) -> Result<(), StoreError> {
        let now = self.redis.now()?.millis();
        for shard in 0..keys::SHARDS {
            let mut due = cmd("ZRANGEBYSCORE");
            due.arg(self.keys.index_shard(shard)).arg("-inf").arg(now);
            let due: Vec<String> = self.redis.query(&due).await?;
            let due: Vec<ServiceId> = due.into_iter().map(ServiceId::from).collect();
            self.report_ended("index entry of", &due, audit).await?;
        }
        for node in self.redis.nodes() {
            self.find_leftover_lists(&node, now, audit).await?;
        }
        Ok(())
    }

    async fn find_leftover_lists(
        &self,
        node: &Node,
        now: i64,
        audit: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor)
                .arg("MATCH")
                .arg(self.keys.owned_pattern())
                .arg("COUNT")
                .arg(BATCH);
            let (next, found): (String, Vec<String>) = node.query(&scan).await?;
            let owners: Vec<_> = found
                .iter()
                .filter_map(|key| self.keys.owned_service_id(key))
                .collect();
            let mut owners = self.without_scheduled_cleanup(owners, now).await?;
            owners.dedup();
            self.report_ended("list of what was held by", &owners, audit)
                .await?;
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Those of `ids` that the sweep will not look after at some later time.
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
        what: &str,
        ids: &[ServiceId],
        audit: &mut ConsistencyReport,
    ) -> Result<(), StoreError> {
        for batch in ids.chunks(BATCH) {
            let alive = self
                .services_exist(&batch.iter().collect::<Vec<_>>())
                .await?;
            let dead = batch.iter().zip(alive).filter(|(_, alive)| !alive);
            audit
                .leftovers
                .extend(dead.map(|(id, _)| format!("{what} service {id}")));
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
