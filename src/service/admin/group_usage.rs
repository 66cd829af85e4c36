//! Samples of the usage of resource groups over the last hour, taken by this replica.
//!
//! The samples are in the memory of this process and start empty. A gap between two samples that is longer than
//! [`SAMPLE_INTERVAL`] means that the store was unavailable.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{self, timeout};
use tracing::debug;

use super::Admin;
use crate::{
    model::{Group, PoolUsage, Timestamp},
    service::CurrentCatalog,
    store::AdminQueries,
};

/// The interval between samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(30);
/// The delay of the first sample after the start and after a change of the catalog, as changes often come in groups.
const DEBOUNCE: Duration = Duration::from_secs(2);
/// The retention of a sample.
const RETENTION: Duration = Duration::from_secs(3_600);
/// Maximum number of samples of a group.
const MAX_SAMPLES: usize = 120;
/// Maximum number of groups that are sampled, in the order of their names.
pub const MAX_SAMPLED_GROUPS: usize = 1_000;
/// Number of groups per request to the store.
pub(super) const BATCH_SIZE: usize = 50;

/// The usage of a group at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSample {
    /// The time of the sample.
    pub at: Timestamp,
    /// The total number of access numbers.
    pub size: u64,
    /// The number of free access numbers.
    pub free: u64,
}

impl UsageSample {
    /// The number of booked access numbers.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }

    /// The booked access numbers in per mille: 1,000 if none is free, as all may be quarantined.
    pub(super) fn permille(&self) -> u64 {
        if self.free == 0 {
            return 1_000;
        }
        self.used().saturating_mul(1_000) / self.size.max(1)
    }
}

type Samples = BTreeMap<String, VecDeque<UsageSample>>;

/// The usage of each group over the last hour. Its size is bounded.
#[derive(Debug, Default)]
pub struct GroupUsage(Mutex<Samples>);

impl GroupUsage {
    /// Takes samples for as long as it is polled.
    pub async fn run(&self, store: &dyn AdminQueries, current_catalog: &CurrentCatalog) {
        let mut version = current_catalog.subscribe_version();
        loop {
            time::sleep(DEBOUNCE).await;
            version.borrow_and_update();
            match store.now() {
                Ok(now) => self.sample(store, current_catalog, now).await,
                Err(error) => debug!(%error, "usage of resource groups not sampled"),
            }
            // The sender outlives this task, so the wait ends by a change or by the timeout.
            drop(timeout(SAMPLE_INTERVAL, version.changed()).await);
        }
    }

    /// Takes one sample at the time `now`. Samples of groups that are no longer configured are removed. Groups that
    /// cannot be read are skipped.
    pub async fn sample(
        &self,
        store: &dyn AdminQueries,
        current_catalog: &CurrentCatalog,
        now: Timestamp,
    ) {
        let mut groups = current_catalog.load().groups().current;
        groups.truncate(MAX_SAMPLED_GROUPS);
        self.remove_expired(&groups, now);
        for batch in groups.chunks(BATCH_SIZE) {
            let names: Vec<&str> = batch.iter().map(|group| group.name.as_str()).collect();
            match store.pool_usages(&names).await {
                Ok(usages) => {
                    let samples = batch.iter().zip(usages).map(|(group, usage)| {
                        let PoolUsage { size, free, .. } = usage.or_all_free(group.numbers.len());
                        let at = now;
                        (group, UsageSample { at, size, free })
                    });
                    self.record(samples);
                }
                Err(error) => debug!(%error, "usage of resource groups not sampled"),
            }
        }
    }

    /// The samples of a group, oldest first.
    #[must_use]
    pub fn history(&self, group: &str) -> Vec<UsageSample> {
        let samples = self.samples();
        let group_samples = samples.get(group);
        group_samples.map_or_else(Vec::new, |group_samples| {
            group_samples.iter().copied().collect()
        })
    }

    /// The last sample of each group.
    pub(super) fn latest(&self) -> HashMap<String, UsageSample> {
        let samples = self.samples();
        let newest = samples
            .iter()
            .filter_map(|(name, group_samples)| Some((name.clone(), *group_samples.back()?)));
        newest.collect()
    }

    fn record<'a>(&self, new_samples: impl Iterator<Item = (&'a Arc<Group>, UsageSample)>) {
        let mut samples = self.samples();
        for (group, sample) in new_samples {
            let group_samples = samples.entry(group.name.clone()).or_default();
            // The last sample is replaced if the one before it is less than an interval old. So the distance between
            // retained samples does not depend on catalog changes.
            let previous = group_samples.iter().rev().nth(1);
            if previous.is_some_and(|previous| sample.at.since(previous.at) < SAMPLE_INTERVAL) {
                group_samples.pop_back();
            } else if group_samples.len() == MAX_SAMPLES {
                group_samples.pop_front();
            }
            group_samples.push_back(sample);
        }
    }

    /// Removes expired samples, and those of groups that are not in `groups`.
    fn remove_expired(&self, groups: &[Arc<Group>], now: Timestamp) {
        let groups: HashSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let mut samples = self.samples();
        samples.retain(|name, group_samples| {
            // Samples in the future are removed too: the clock may have been set back.
            group_samples.retain(|sample| sample.at <= now && now.since(sample.at) < RETENTION);
            groups.contains(name.as_str())
        });
    }

    /// A poisoned lock is safe to use: no update of the samples can panic halfway.
    fn samples(&self) -> MutexGuard<'_, Samples> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admin {
    /// The usage of a group over the last hour, oldest first; empty for groups that are not sampled. Does not access
    /// the store.
    #[must_use]
    pub fn usage_history(&self, group: &str) -> Vec<UsageSample> {
        self.context.group_usage.history(group)
    }
}
