//! How full the pools of resource groups were over the last hour, as this replica saw it.
//!
//! It is kept in this process and begins anew with it. What could not be seen is not there: between two samples that
//! lie further apart than [`LOOK_EVERY`] and a little nobody knows.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{self, timeout};
use tracing::debug;

use super::Admin;
use crate::{
    service::CurrentCatalog,
    store::{AdminQueries, Group, PoolUsage, Timestamp},
};

/// How often it is looked.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(30);
/// How soon after the start, and after a change of the catalogue, which seldom comes alone.
const DEBOUNCE: Duration = Duration::from_secs(2);
/// For how long a sample is kept.
const RETENTION: Duration = Duration::from_secs(3_600);
/// Samples that are kept of a group.
const MAX_SAMPLES: usize = 120;
/// Groups that are looked at: those whose names come first.
pub const MAX_SAMPLED_GROUPS: usize = 1_000;
/// Groups asked about in one go.
pub(super) const BATCH_SIZE: usize = 50;

/// The fill of a pool at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSample {
    /// When it was looked.
    pub at: Timestamp,
    /// Numbers in the group.
    pub size: u64,
    /// Numbers of these that could be handed out.
    pub free: u64,
}

impl UsageSample {
    /// Numbers of the group that were held.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }
}

type Samples = BTreeMap<String, VecDeque<UsageSample>>;

/// The fill of each group over the last hour; bounded, however many groups there are.
#[derive(Debug, Default)]
pub struct GroupUsage(Mutex<Samples>);

impl GroupUsage {
    /// Looks for as long as it is polled.
    pub async fn run(&self, store: &dyn AdminQueries, in_force: &CurrentCatalog) {
        let mut version = in_force.subscribe_version();
        loop {
            time::sleep(DEBOUNCE).await;
            version.borrow_and_update();
            match store.now() {
                Ok(now) => self.sample(store, in_force, now).await,
                Err(error) => debug!(%error, "how full resource groups are was not seen"),
            }
            // The catalogue outlives this, so what ends the wait is a change or the time.
            drop(timeout(SAMPLE_INTERVAL, version.changed()).await);
        }
    }

    /// Looks once, which is `now`. Groups that are no longer configured are forgotten; what cannot be seen is left
    /// out.
    pub async fn sample(
        &self,
        store: &dyn AdminQueries,
        in_force: &CurrentCatalog,
        now: Timestamp,
    ) {
        let mut groups = in_force.load().groups().current;
        groups.truncate(MAX_SAMPLED_GROUPS);
        self.remove_expired(&groups, now);
        for batch in groups.chunks(BATCH_SIZE) {
            let names: Vec<&str> = batch.iter().map(|group| group.name.as_str()).collect();
            match store.pool_usages(&names).await {
                Ok(fills) => {
                    let seen = batch.iter().zip(fills).map(|(group, fill)| {
                        let PoolUsage { size, free } = fill.or_all_free(group.numbers.len());
                        let at = now;
                        (group, UsageSample { at, size, free })
                    });
                    self.record(seen);
                }
                Err(error) => debug!(%error, "how full resource groups are was not seen"),
            }
        }
    }

    /// What is known of a group, oldest first.
    #[must_use]
    pub fn history(&self, group: &str) -> Vec<UsageSample> {
        let samples = self.samples();
        let known = samples.get(group);
        known.map_or_else(Vec::new, |known| known.iter().copied().collect())
    }

    /// How many in a thousand numbers of each group were held when it was last looked.
    pub(super) fn latest_usage(&self) -> HashMap<String, u64> {
        let samples = self.samples();
        let newest = samples.iter().filter_map(|(name, known)| {
            let newest = known.back()?;
            let held = newest.size.saturating_sub(newest.free);
            Some((
                name.clone(),
                held.saturating_mul(1_000) / newest.size.max(1),
            ))
        });
        newest.collect()
    }

    fn record<'a>(&self, seen: impl Iterator<Item = (&'a Arc<Group>, UsageSample)>) {
        let mut samples = self.samples();
        for (group, sample) in seen {
            let known = samples.entry(group.name.clone()).or_default();
            // The newest one is the last look; those that are kept lie about as far apart as if nothing had changed.
            let before = known.iter().rev().nth(1);
            if before.is_some_and(|before| sample.at.since(before.at) < SAMPLE_INTERVAL) {
                known.pop_back();
            } else if known.len() == MAX_SAMPLES {
                known.pop_front();
            }
            known.push_back(sample);
        }
    }

    /// Keeps nothing but what `groups` were in the hour before `now`.
    fn remove_expired(&self, groups: &[Arc<Group>], now: Timestamp) {
        let groups: HashSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let mut samples = self.samples();
        samples.retain(|name, known| {
            // A clock that was set back leaves nothing behind that is yet to come.
            known.retain(|sample| sample.at <= now && now.since(sample.at) < RETENTION);
            groups.contains(name.as_str())
        });
    }

    /// A panic elsewhere cannot leave them half changed.
    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admin {
    /// The fill of a group over the last hour, oldest first; nothing of a group that is not looked at. The store is
    /// not asked.
    #[must_use]
    pub fn usage_history(&self, group: &str) -> Vec<UsageSample> {
        self.context.group_usage.history(group)
    }
}
