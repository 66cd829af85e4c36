//! What is told of the whole installation: services that live, numbers held and free, and how far the
//! clean-up is behind.
//!
//! The replica that cleans up looks, every few seconds and never for a request. Services are counted by
//! the list of their ends that operators look at.

use std::{sync::Arc, time::Duration};

use redis::cmd;
use tokio::{sync::watch, time::timeout};
use tracing::debug;

use super::{RedisStore, connection::parse_reply, keys};
use crate::{
    store::{AdminQueries, AllocationStrategy, Group, Groups, StoreError, Timestamp},
    telemetry::metrics::{ClusterMetrics, set_cluster_metrics},
};

/// How often it is looked.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Groups asked about in one go.
const BATCH: usize = 64;
/// Commands for one group.
const COMMANDS_PER_GROUP: usize = 4;

impl RedisStore {
    /// Tells what there is for as long as it is polled and this replica `leads`.
    pub(super) async fn report_shared_metrics(
        &self,
        groups: watch::Receiver<Groups>,
        mut leads: watch::Receiver<bool>,
    ) {
        loop {
            if !*leads.borrow_and_update() {
                set_cluster_metrics(ClusterMetrics::default());
                if leads.wait_for(|leads| *leads).await.is_err() {
                    return;
                }
            }
            let current = groups.borrow().current.clone();
            let seen = self.collect_shared_metrics(&current).await;
            set_cluster_metrics(seen.unwrap_or_else(|error| {
                debug!(%error, "what there is cannot be told");
                ClusterMetrics::default()
            }));
            drop(timeout(POLL_INTERVAL, leads.wait_for(|leads| !*leads)).await);
        }
    }

    async fn collect_shared_metrics(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ClusterMetrics, StoreError> {
        let mut shared = ClusterMetrics {
            cleanup_lag: Some(self.cleanup_lag().await?),
            active_services: Some(self.count_services().await?),
            ..ClusterMetrics::default()
        };
        for batch in groups.chunks(BATCH) {
            shared.groups.extend(self.usage_of_groups(batch).await?);
        }
        Ok(shared)
    }

    /// Since when the oldest of the services that are due has been.
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

    /// Of each group: its name, numbers held and numbers free, as an allocation would find them.
    async fn usage_of_groups(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let mut ask = Vec::with_capacity(groups.len() * COMMANDS_PER_GROUP);
        for group in groups {
            let [free, numbers, booked, ..] = &self.keys.group(&group.name);
            ask.push(cmd("ZCARD").arg(free).to_owned());
            ask.push(cmd("HLEN").arg(numbers).to_owned());
            let now = self.redis.now_at(booked)?.millis();
            let mut lapsed = cmd("ZCOUNT");
            ask.push(lapsed.arg(booked).arg("-inf").arg(now).to_owned());
            ask.push(cmd("ZCARD").arg(booked).to_owned());
        }
        let counts = self
            .redis
            .pipeline_unordered(ask)
            .await?
            .into_iter()
            .map(parse_reply);
        let counts = counts.collect::<Result<Vec<u64>, StoreError>>()?;
        let fills = groups.iter().zip(counts.chunks_exact(COMMANDS_PER_GROUP));
        let fills = fills.map(|(group, counts)| {
            let [free, size, lapsed, booked] =
                <[u64; COMMANDS_PER_GROUP]>::try_from(counts).unwrap_or_default();
            let free = match group.strategy {
                AllocationStrategy::Exclusive => size.min(free + lapsed),
                AllocationStrategy::Random | AllocationStrategy::RoundRobin => free,
            };
            (group.name.clone(), booked.saturating_sub(lapsed), free)
        });
        Ok(fills.collect())
    }
}
