//! The statistics of the whole deployment: active services, booked and free numbers, and the lag of the
//! cleanup.
//!
//! The cleanup leader collects them every few seconds, independent of requests. Services are counted by
//! the list that the admin queries use.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use redis::cmd;
use tokio::{sync::watch, time::timeout};
use tracing::debug;

use super::{RedisStore, connection::parse_reply, keys};
use crate::{
    model::{
        AllocationStrategy, Group, Groups, StoreError, Timestamp,
        cleanup_status::{DeploymentStats, GroupStats},
    },
    store::{ChatStore, ServiceList},
};

/// The interval of the collection.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// The number of groups per pipeline.
const BATCH: usize = 64;
/// The number of commands per group.
const COMMANDS_PER_GROUP: usize = 5;

impl RedisStore {
    /// Collects the statistics while this replica is the cleanup leader, until the future is dropped.
    pub(super) async fn collect_deployment_stats(&self, groups: watch::Receiver<Groups>) {
        let mut is_leader = self.cleanup.subscribe_leadership();
        let mut ended_chats = None;
        loop {
            if !*is_leader.borrow_and_update() {
                self.cleanup.set_deployment(DeploymentStats::default());
                if is_leader.wait_for(|is_leader| *is_leader).await.is_err() {
                    return;
                }
            }
            let current = groups.borrow().current.clone();
            let stats = self.deployment_stats(&current).await;
            self.cleanup.set_deployment(stats.unwrap_or_else(|error| {
                debug!(%error, "deployment statistics not collected");
                DeploymentStats::default()
            }));
            ended_chats = self.sweep_ended_chats(ended_chats).await.unwrap_or(None);
            drop(timeout(POLL_INTERVAL, is_leader.wait_for(|is_leader| !*is_leader)).await);
        }
    }

    async fn deployment_stats(&self, groups: &[Arc<Group>]) -> Result<DeploymentStats, StoreError> {
        let mut stats = DeploymentStats {
            cleanup_lag: Some(self.cleanup_lag().await?),
            active_services: Some(self.count_services().await?),
            // The other statistics do not depend on chats, some of which may be on an unreachable server.
            chats: self.sweep_chats().await.unwrap_or_else(|error| {
                debug!(%error, "chats not swept");
                BTreeMap::default()
            }),
            available_agents: Some(self.available_agents().await?.len() as u64),
            ..DeploymentStats::default()
        };
        for batch in groups.chunks(BATCH) {
            stats.groups.extend(self.usage_of_groups(batch).await?);
        }
        Ok(stats)
    }

    /// Returns how long the oldest due service has been due.
    async fn cleanup_lag(&self) -> Result<Duration, StoreError> {
        let now = self.redis.now()?;
        let oldest = |shard| {
            let mut oldest = cmd("ZRANGEBYSCORE");
            oldest.arg(self.keys.index_shard(shard)).arg("-inf");
            oldest.arg(now.millis()).arg("WITHSCORES");
            oldest.arg("LIMIT").arg(0).arg(1).to_owned()
        };
        let all = (0..keys::SHARDS).map(oldest).collect();
        let mut lag = Duration::ZERO;
        for shard in self.redis.pipeline_unordered(all).await? {
            let due: Vec<(String, i64)> = parse_reply(shard)?;
            let since = due
                .first()
                .map(|(_, due)| now.since(Timestamp::from_millis(*due)));
            lag = lag.max(since.unwrap_or_default());
        }
        Ok(lag)
    }

    /// Returns the counts of each group, the free numbers as an allocation would find them.
    async fn usage_of_groups(&self, groups: &[Arc<Group>]) -> Result<Vec<GroupStats>, StoreError> {
        let mut commands = Vec::with_capacity(groups.len() * COMMANDS_PER_GROUP);
        for group in groups {
            let [free, numbers, booked, ..] = &self.keys.group(&group.name);
            commands.push(cmd("ZCARD").arg(free).to_owned());
            commands.push(cmd("HLEN").arg(numbers).to_owned());
            let now = self.redis.now_at(booked)?.millis();
            let mut expired = cmd("ZCOUNT");
            commands.push(expired.arg(booked).arg("-inf").arg(now).to_owned());
            commands.push(cmd("ZCARD").arg(booked).to_owned());
            let quarantined = self.keys.group_quarantined(&group.name);
            commands.push(cmd("HLEN").arg(quarantined).to_owned());
        }
        let counts = self
            .redis
            .pipeline_unordered(commands)
            .await?
            .into_iter()
            .map(parse_reply);
        let counts = counts.collect::<Result<Vec<u64>, StoreError>>()?;
        let usages = groups.iter().zip(counts.chunks_exact(COMMANDS_PER_GROUP));
        let usages = usages.map(|(group, counts)| {
            let [free, size, expired, booked, quarantined] =
                <[u64; COMMANDS_PER_GROUP]>::try_from(counts).unwrap_or_default();
            let is_exclusive = group.strategy == AllocationStrategy::Exclusive;
            let free = is_exclusive.then(|| size.min(free + expired));
            GroupStats {
                name: group.name.clone(),
                booked: booked.saturating_sub(expired),
                free,
                quarantined,
            }
        });
        Ok(usages.collect())
    }
}
