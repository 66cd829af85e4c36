//! What is told of the whole installation: services that live, numbers held and free, and how far the
//! clean-up is behind.
//!
//! The replica that cleans up looks, every few seconds and never for a request. Services are counted by
//! going through the keys in small steps, because nothing in Redis keeps their number: a second list of
//! all of them would make each create dearer than that is worth. So the count is as old as one walk takes;
//! a Redis of a million keys is walked through in under three minutes, at a cost of a few milliseconds of
//! its time in each five seconds.

use std::{sync::Arc, time::Duration};

use redis::{Value, cmd};
use tokio::{sync::watch, time::timeout};
use tracing::debug;

use super::{
    RedisStore,
    connection::{Node, typed},
    keys,
};
use crate::{
    store::{Group, Moment, StoreError, Strategy},
    telemetry::metrics::{Shared, tell},
};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Steps of the walk each time, and keys that Redis passes in one.
const STEPS: usize = 32;
const STEP: usize = 1_000;
/// Groups asked about in one go.
const BATCH: usize = 64;
/// Commands for one group.
const OF_A_GROUP: usize = 4;

/// A walk through all keys.
#[derive(Default)]
struct Walk {
    /// Servers not walked through yet; the last one is being walked through.
    left: Vec<Arc<Node>>,
    cursor: Option<String>,
    found: u64,
    /// What the last whole walk found.
    services: Option<u64>,
}

impl RedisStore {
    /// Tells what there is for as long as it is polled and this replica `leads`.
    pub(super) async fn survey(&self, groups: &[Arc<Group>], mut leads: watch::Receiver<bool>) {
        let mut walk = Walk::default();
        loop {
            if !*leads.borrow_and_update() {
                tell(Shared::default());
                walk = Walk::default();
                if leads.wait_for(|leads| *leads).await.is_err() {
                    return;
                }
            }
            let seen = self.look(groups, &mut walk).await;
            tell(seen.unwrap_or_else(|error| {
                debug!(%error, "what there is cannot be told");
                Shared::default()
            }));
            drop(timeout(LOOK_EVERY, leads.wait_for(|leads| !*leads)).await);
        }
    }

    async fn look(&self, groups: &[Arc<Group>], walk: &mut Walk) -> Result<Shared, StoreError> {
        let mut shared = Shared {
            lag: Some(self.lag().await?),
            ..Shared::default()
        };
        for batch in groups.chunks(BATCH) {
            shared.groups.extend(self.fill_of(batch).await?);
        }
        // An account that may not do this is told of in `docs/OPERATING.md`.
        if let Err(error) = self.walk_on(walk).await {
            debug!(%error, "services cannot be counted");
            *walk = Walk::default();
        }
        shared.services = walk.services;
        Ok(shared)
    }

    /// Since when the oldest of the services that are due has been.
    async fn lag(&self) -> Result<Duration, StoreError> {
        let now = Moment::now();
        let oldest = |shard| {
            let mut oldest = cmd("ZRANGEBYSCORE");
            oldest.arg(self.keys.shard(shard)).arg("-inf");
            oldest.arg(now.millis()).arg("WITHSCORES");
            oldest.arg("LIMIT").arg(0).arg(1).to_owned()
        };
        let all = (0..keys::SHARDS).map(oldest).collect();
        let mut lag = Duration::ZERO;
        for shard in self.redis.at_once(all).await? {
            let due: Vec<(String, i64)> = typed(shard)?;
            let since = due
                .first()
                .map(|(_, due)| now.since(Moment::from_millis(*due)));
            lag = lag.max(since.unwrap_or_default());
        }
        Ok(lag)
    }

    /// Of each group: its name, numbers held and numbers free, as an allocation would find them.
    async fn fill_of(&self, groups: &[Arc<Group>]) -> Result<Vec<(String, u64, u64)>, StoreError> {
        let now = Moment::now().millis();
        let mut ask = Vec::with_capacity(groups.len() * OF_A_GROUP);
        for group in groups {
            let [free, numbers, booked, ..] = &self.keys.group(&group.name);
            ask.push(cmd("ZCARD").arg(free).to_owned());
            ask.push(cmd("HLEN").arg(numbers).to_owned());
            let mut lapsed = cmd("ZCOUNT");
            ask.push(lapsed.arg(booked).arg("-inf").arg(now).to_owned());
            ask.push(cmd("ZCARD").arg(booked).to_owned());
        }
        let counts = self.redis.at_once(ask).await?.into_iter().map(typed);
        let counts = counts.collect::<Result<Vec<u64>, StoreError>>()?;
        let fills = groups.iter().zip(counts.chunks_exact(OF_A_GROUP));
        let fills = fills.map(|(group, counts)| {
            let [free, size, lapsed, booked] =
                <[u64; OF_A_GROUP]>::try_from(counts).unwrap_or_default();
            let free = match group.strategy {
                Strategy::Exclusive => size.min(free + lapsed),
                Strategy::Random | Strategy::RoundRobin => free,
            };
            (group.name.clone(), booked.saturating_sub(lapsed), free)
        });
        Ok(fills.collect())
    }

    /// Goes on with the walk, for no more than some steps.
    async fn walk_on(&self, walk: &mut Walk) -> Result<(), StoreError> {
        if walk.left.is_empty() {
            walk.left = self.redis.nodes();
            walk.found = 0;
        }
        for _ in 0..STEPS {
            let Some(node) = walk.left.last() else {
                walk.services = Some(walk.found);
                return Ok(());
            };
            let mut scan = cmd("SCAN");
            scan.arg(walk.cursor.as_deref().unwrap_or("0"));
            scan.arg("MATCH").arg(self.keys.all_services());
            scan.arg("COUNT").arg(STEP);
            let (next, found): (String, Vec<Value>) = node.ask(&scan).await?;
            walk.found += found.len() as u64;
            walk.cursor = Some(next).filter(|next| next != "0");
            if walk.cursor.is_none() {
                walk.left.pop();
            }
        }
        Ok(())
    }
}
