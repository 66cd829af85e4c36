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
    service::InForce,
    store::{Group, Moment, Overview, Pool},
};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How soon after the start, and after a change of the catalogue, which seldom comes alone.
const SOON: Duration = Duration::from_secs(2);
/// For how long a sample is kept.
const KEPT: Duration = Duration::from_secs(3_600);
/// Samples that are kept of a group.
const MOST_SAMPLES: usize = 120;
/// Groups that are looked at: those whose names come first.
pub const MOST_GROUPS: usize = 1_000;
/// Groups asked about in one go.
pub(super) const BATCH: usize = 50;

/// The fill of a pool at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was looked.
    pub at: Moment,
    /// Numbers in the group.
    pub size: u64,
    /// Numbers of these that could be handed out.
    pub free: u64,
}

impl Sample {
    /// Numbers of the group that were held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }
}

type Samples = BTreeMap<String, VecDeque<Sample>>;

/// The fill of each group over the last hour; bounded, however many groups there are.
#[derive(Debug, Default)]
pub struct Trend(Mutex<Samples>);

impl Trend {
    /// Looks for as long as it is polled.
    pub async fn keep(&self, store: &dyn Overview, in_force: &InForce) {
        let mut version = in_force.versions();
        loop {
            time::sleep(SOON).await;
            version.borrow_and_update();
            match store.now() {
                Ok(now) => self.look(store, in_force, now).await,
                Err(error) => debug!(%error, "how full resource groups are was not seen"),
            }
            // The catalogue outlives this, so what ends the wait is a change or the time.
            drop(timeout(LOOK_EVERY, version.changed()).await);
        }
    }

    /// Looks once, which is `now`. Groups that are no longer configured are forgotten; what cannot be seen is left
    /// out.
    pub async fn look(&self, store: &dyn Overview, in_force: &InForce, now: Moment) {
        let mut groups = in_force.now().groups().current;
        groups.truncate(MOST_GROUPS);
        self.forget(&groups, now);
        for batch in groups.chunks(BATCH) {
            let names: Vec<&str> = batch.iter().map(|group| group.name.as_str()).collect();
            match store.fills_of(&names).await {
                Ok(fills) => {
                    let seen = batch.iter().zip(fills).map(|(group, fill)| {
                        let Pool { size, free } = fill.or_all_free(group.numbers.len());
                        let at = now;
                        (group, Sample { at, size, free })
                    });
                    self.note(seen);
                }
                Err(error) => debug!(%error, "how full resource groups are was not seen"),
            }
        }
    }

    /// What is known of a group, oldest first.
    #[must_use]
    pub fn of(&self, group: &str) -> Vec<Sample> {
        let samples = self.samples();
        let known = samples.get(group);
        known.map_or_else(Vec::new, |known| known.iter().copied().collect())
    }

    /// How many in a thousand numbers of each group were held when it was last looked.
    pub(super) fn newest(&self) -> HashMap<String, u64> {
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

    fn note<'a>(&self, seen: impl Iterator<Item = (&'a Arc<Group>, Sample)>) {
        let mut samples = self.samples();
        for (group, sample) in seen {
            let known = samples.entry(group.name.clone()).or_default();
            // The newest one is the last look; those that are kept lie about as far apart as if nothing had changed.
            let before = known.iter().rev().nth(1);
            if before.is_some_and(|before| sample.at.since(before.at) < LOOK_EVERY) {
                known.pop_back();
            } else if known.len() == MOST_SAMPLES {
                known.pop_front();
            }
            known.push_back(sample);
        }
    }

    /// Keeps nothing but what `groups` were in the hour before `now`.
    fn forget(&self, groups: &[Arc<Group>], now: Moment) {
        let groups: HashSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let mut samples = self.samples();
        samples.retain(|name, known| {
            // A clock that was set back leaves nothing behind that is yet to come.
            known.retain(|sample| sample.at <= now && now.since(sample.at) < KEPT);
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
    pub fn trend(&self, group: &str) -> Vec<Sample> {
        self.office.trend.of(group)
    }
}
