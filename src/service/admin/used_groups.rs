//! The usage of resource groups.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{Admin, AdminError, UsageSample, group_usage::BATCH_SIZE};
use crate::model::{AllocationStrategy, PoolUsage, StoreError, Timestamp};

/// The time for which a failed booking is a problem.
const RECENT: Duration = Duration::from_secs(60);

/// Whether a booking that failed at this time is a problem at `now`.
pub(super) fn is_recent(failed_at: Timestamp, now: Timestamp) -> bool {
    now.since(failed_at) < RECENT
}

/// The usage of a resource group.
#[derive(Debug, Clone)]
pub struct UsedGroup {
    /// The name.
    pub name: String,
    /// The usage.
    pub usage: PoolUsage,
    /// Whether services share its numbers, so that the usage does not count their bookings.
    pub is_shared: bool,
    /// When a booking last found no free number, if that was in the last week.
    pub exhausted_at: Option<Timestamp>,
    /// Whether it has a backup number.
    pub has_backup: bool,
    /// The number of expired bookings that are not released yet, if no number is free otherwise. A booking releases them
    /// when it needs a number.
    pub expired: u64,
}

impl UsedGroup {
    /// Whether all numbers have a booking that has not expired.
    #[must_use]
    pub fn has_no_free_number(&self) -> bool {
        self.usage.is_exhausted() && self.expired == 0
    }
}

/// The resource groups with the highest usage.
#[derive(Debug, Default, Clone)]
pub struct MostUsedGroups {
    /// The groups, the highest usage first; then by name.
    pub usage: Vec<UsedGroup>,
    /// Of the other groups, those that had no free number in the last sample, or for a booking recently; by name.
    pub others: Vec<UsedGroup>,
    /// The number of configured groups.
    pub total_groups: usize,
    /// Whether usage samples exist. Without samples the selection is arbitrary if not all groups are included.
    pub has_samples: bool,
}
impl Admin {
    /// The usage of a group.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`], errors of the store.
    pub async fn pool_usage(&self, group: &str) -> Result<PoolUsage, AdminError> {
        self.require_group(group)?;
        let usages = self.store.pool_usages(&[group]).await?;
        let usage = usages.first().copied();
        let usage =
            usage.ok_or_else(|| StoreError::Corrupt("usage of a group is missing".to_owned()))?;
        Ok(self.usage_or_all_free(group, usage))
    }

    /// Names of the configured services, sorted.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        let catalog = self.context.current_catalog.load();
        let mut names: Vec<String> = catalog.names().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// When a booking last found no free number in a group, if that was in the last week.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn exhausted_at(&self, group: &str) -> Result<Option<Timestamp>, AdminError> {
        let times = self.store.exhausted_at(&[group]).await?;
        Ok(times.into_iter().next().flatten())
    }

    /// Names of the configured groups.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        let catalog = self.context.current_catalog.load();
        let groups = catalog.resource_groups().groups();
        groups.map(|group| group.name.clone()).collect()
    }

    /// The usage of configured groups. They are read in batches so that other requests are not delayed.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn pool_usages(
        &self,
        groups: Vec<String>,
    ) -> Result<Vec<(String, PoolUsage)>, StoreError> {
        let mut all = Vec::with_capacity(groups.len());
        for batch in groups.chunks(BATCH_SIZE) {
            let names: Vec<&str> = batch.iter().map(String::as_str).collect();
            all.extend(self.store.pool_usages(&names).await?);
        }
        let usages = groups.into_iter().zip(all).map(|(name, usage)| {
            let usage = self.usage_or_all_free(&name, usage);
            (name, usage)
        });
        Ok(usages.collect())
    }

    /// The usage of the configured groups, the highest first. If there are more than `limit`, these are the groups with the
    /// highest usage in the last sample of this replica or, before the first sample, the first groups. Of the others, only
    /// those are read that had no free number in that sample, or for a booking recently; of the first
    /// [`MAX_SAMPLED_GROUPS`](super::MAX_SAMPLED_GROUPS) groups by name. The times of failed bookings are at most `max_age` old.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn most_used_groups(
        &self,
        limit: usize,
        max_age: Duration,
    ) -> Result<MostUsedGroups, StoreError> {
        let mut names = self.group_names();
        let total_groups = names.len();
        let latest = self.context.group_usage.latest();
        let exhausted_at = self.exhausted_times(&names, max_age).await?;
        let permille = |name: &String| latest.get(name).map_or(0, UsageSample::permille);
        names.sort_by_key(|name| Reverse(permille(name)));
        let others = names.split_off(limit.min(total_groups));
        let most_used: HashSet<String> = names.iter().cloned().collect();
        let now = self.store.now()?;
        names.extend(others.into_iter().filter(|name| {
            let is_full = latest.get(name).is_some_and(|sample| sample.free == 0);
            let failed_at = exhausted_at.get(name);
            is_full || failed_at.is_some_and(|at| is_recent(*at, now))
        }));
        names.sort();
        let groups = self.read_used_groups(names, &exhausted_at).await?;
        let groups = groups.into_iter();
        let (mut usage, others): (Vec<_>, Vec<_>) =
            groups.partition(|group| most_used.contains(&group.name));
        usage.sort_by_key(|group| Reverse(group.usage.permille()));
        Ok(MostUsedGroups {
            usage,
            others,
            total_groups,
            has_samples: total_groups <= limit || !latest.is_empty(),
        })
    }

    async fn read_used_groups(
        &self,
        names: Vec<String>,
        exhausted_at: &HashMap<String, Timestamp>,
    ) -> Result<Vec<UsedGroup>, StoreError> {
        let usages = self.pool_usages(names).await?.into_iter();
        let groups = usages.map(|(name, usage)| UsedGroup {
            has_backup: self.has_backup(&name),
            is_shared: self.has_shared_numbers(&name),
            exhausted_at: exhausted_at.get(&name).copied(),
            name,
            usage,
            expired: 0,
        });
        let mut groups: Vec<UsedGroup> = groups.collect();
        self.count_expired(&mut groups).await?;
        Ok(groups)
    }

    /// Counts the expired bookings of the groups without a free number. Without such groups nothing is read.
    async fn count_expired(&self, groups: &mut [UsedGroup]) -> Result<(), StoreError> {
        let is_exhausted = |group: &&mut UsedGroup| group.usage.is_exhausted();
        let mut exhausted: Vec<_> = groups.iter_mut().filter(is_exhausted).collect();
        if exhausted.is_empty() {
            return Ok(());
        }
        for batch in exhausted.chunks_mut(BATCH_SIZE) {
            let names: Vec<&str> = batch.iter().map(|group| group.name.as_str()).collect();
            let counts = self.store.count_expired_bookings(&names).await?;
            for (group, expired) in batch.iter_mut().zip(counts) {
                group.expired = expired;
            }
        }
        Ok(())
    }

    /// Whether the strategy of a group gives its numbers to several services at once.
    #[must_use]
    pub fn has_shared_numbers(&self, group: &str) -> bool {
        let catalog = self.context.current_catalog.load();
        let configured = catalog.resource_group(group);
        configured
            .is_some_and(|configured| configured.group.strategy != AllocationStrategy::Exclusive)
    }

    fn has_backup(&self, group: &str) -> bool {
        let catalog = self.context.current_catalog.load();
        let configured = catalog.resource_group(group);
        configured.is_some_and(|configured| configured.group.backup.is_some())
    }

    /// The usage, or all numbers free if the group is not synchronized to the store yet.
    fn usage_or_all_free(&self, group: &str, usage: PoolUsage) -> PoolUsage {
        let catalog = self.context.current_catalog.load();
        let configured = catalog.resource_group(group);
        configured.map_or(usage, |group| usage.or_all_free(group.group.numbers.len()))
    }
}
