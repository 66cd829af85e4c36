//! Bookings and usage of resource groups, and the release of a number by an operator.

use std::{cmp::Reverse, time::Duration};

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
    group_usage::{BATCH_SIZE, MAX_SAMPLED_GROUPS},
};
use crate::model::{
    Booking, BookingId, Cursor, ListRange, ListedBooking, Page, PoolUsage, StoreError, Table,
    Timestamp,
};

/// The usage of a resource group.
#[derive(Debug, Clone)]
pub struct UsedGroup {
    /// The name.
    pub name: String,
    /// The usage.
    pub usage: PoolUsage,
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
    /// highest usage in the last sample of this replica or, before the first sample, the first groups.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn most_used_groups(&self, limit: usize) -> Result<MostUsedGroups, StoreError> {
        let mut names = self.group_names();
        let (total_groups, mut has_samples) = (names.len(), true);
        if total_groups > limit {
            let latest = self.context.group_usage.latest_usage();
            has_samples = !latest.is_empty();
            names.sort_by_key(|name| Reverse(latest.get(name).copied().unwrap_or_default()));
            names.truncate(limit);
            names.sort();
        }
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let exhausted_at = self.store.exhausted_at(&keys).await?;
        let usages = self.pool_usages(names).await?.into_iter().zip(exhausted_at);
        let usages = usages.map(|((name, usage), exhausted_at)| UsedGroup {
            has_backup: self.has_backup(&name),
            name,
            usage,
            exhausted_at,
            expired: 0,
        });
        let mut usage: Vec<UsedGroup> = usages.collect();
        self.count_expired(&mut usage).await?;
        usage.sort_by_key(|group| Reverse(group.usage.permille()));
        Ok(MostUsedGroups {
            usage,
            total_groups,
            has_samples,
        })
    }

    /// Counts the expired bookings of the groups without a free number. Without such groups nothing is read.
    async fn count_expired(&self, groups: &mut [UsedGroup]) -> Result<(), StoreError> {
        let is_exhausted = |group: &&mut UsedGroup| group.usage.is_exhausted();
        let mut exhausted: Vec<_> = groups.iter_mut().filter(is_exhausted).collect();
        if exhausted.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = exhausted.iter().map(|group| group.name.as_str()).collect();
        let counts = self.store.count_expired_bookings(&names).await?;
        for (group, expired) in exhausted.iter_mut().zip(counts) {
            group.expired = expired;
        }
        Ok(())
    }

    fn has_backup(&self, group: &str) -> bool {
        let catalog = self.context.current_catalog.load();
        let configured = catalog.resource_group(group);
        configured.is_some_and(|configured| configured.group.backup.is_some())
    }

    /// The bookings of a group by expiration time, or those of one number, oldest first.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; [`AdminError::Service`] for an invalid number and errors of the store.
    pub async fn list_bookings(
        &self,
        group: &str,
        number: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedBooking>, AdminError> {
        self.require_group(group)?;
        let Some(number) = number else {
            let range = ListRange::after(after);
            let page = self.store.bookings_by_end(&[group], &range, limit).await?;
            return Ok(Page {
                entries: page.entries.into_iter().map(|(_, one)| one).collect(),
                next: page.next,
            });
        };
        let subscriber = self.subscriber_of(number)?;
        let groups = [group];
        let found = self.store.bookings_of_number(&groups, &subscriber, limit);
        let entries = found.await?.into_iter().map(|(_, one)| one).collect();
        Ok(Page {
            entries,
            next: None,
        })
    }

    /// Bookings of all groups by expiration time, each with its group; or those of one group. Of more than
    /// [`MAX_SAMPLED_GROUPS`] groups, the first ones by name are read.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`] for the group; [`AdminError::Service`] for errors of the store.
    pub async fn all_bookings(
        &self,
        group: Option<&str>,
        range: &ListRange,
        limit: usize,
    ) -> Result<Page<(String, ListedBooking)>, AdminError> {
        let groups = self.booking_groups(group)?;
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        Ok(self.store.bookings_by_end(&groups, range, limit).await?)
    }

    /// The number of bookings of all groups, or of one. It includes expired ones that are not released yet.
    ///
    /// # Errors
    /// As [`Admin::all_bookings`].
    pub async fn count_bookings(&self, group: Option<&str>) -> Result<u64, AdminError> {
        let groups = self.booking_groups(group)?;
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        Ok(self.store.count_bookings(&groups).await?)
    }

    /// The bookings of a number in all groups, or in one, each with its group: at most `limit`.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`] for the group; [`AdminError::Service`] for an invalid number and errors of the store.
    pub async fn bookings_of_number(
        &self,
        number: &str,
        group: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, ListedBooking)>, AdminError> {
        let subscriber = self.subscriber_of(number)?;
        let groups = self.groups_of_number(&subscriber, group)?;
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for batch in groups.chunks(BATCH_SIZE) {
            let rest = limit - found.len();
            if rest == 0 {
                break;
            }
            let bookings = self.store.bookings_of_number(batch, &subscriber, rest);
            found.extend(bookings.await?);
        }
        Ok(found)
    }

    /// The group, or the groups that can have bookings of a number: first those that have the number.
    fn groups_of_number(
        &self,
        subscriber: &str,
        group: Option<&str>,
    ) -> Result<Vec<String>, AdminError> {
        if let Some(group) = group {
            self.require_group(group)?;
            return Ok(vec![group.to_owned()]);
        }
        let catalog = self.context.current_catalog.load();
        let (mut groups, others) = catalog.resource_groups().partition_by_number(subscriber);
        groups.extend(others);
        Ok(groups)
    }

    /// The names of the groups that can have bookings, deleted ones too, sorted.
    #[must_use]
    pub fn groups_with_bookings(&self) -> Vec<String> {
        let catalog = self.context.current_catalog.load();
        let mut names = self.group_names();
        names.extend_from_slice(catalog.resource_groups().retired());
        names.sort();
        names
    }

    /// The group, or the groups whose bookings are read together.
    fn booking_groups(&self, group: Option<&str>) -> Result<Vec<String>, AdminError> {
        let Some(group) = group else {
            let mut names = self.groups_with_bookings();
            names.truncate(MAX_SAMPLED_GROUPS);
            return Ok(names);
        };
        self.require_group(group)?;
        Ok(vec![group.to_owned()])
    }

    /// The subscriber of the parameter `number`.
    pub(super) fn subscriber_of(&self, number: &str) -> Result<String, AdminError> {
        let phone_numbers = self.context.catalog_context.phone_numbers;
        Ok(phone_numbers.subscriber_from_parameter("number", number)?)
    }

    /// Releases a number, regardless of the state of its service.
    ///
    /// # Errors
    /// [`AdminError::NoSuchBooking`], also if a call or another request released the booking meanwhile; errors of the
    /// store. The change can still fail after the audit log entry is written.
    pub async fn release_number(
        &self,
        group: &str,
        booking: &str,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let id = BookingId::from(booking.to_owned());
        let no_such_booking = || AdminError::NoSuchBooking {
            group: group.to_owned(),
            booking: booking.to_owned(),
        };
        let found = self.store.booking(group, &id).await?;
        let found = found.ok_or_else(no_such_booking)?;
        let name = format!("{group}/{}", found.number);
        let mut event = AuditRecord::new(
            by,
            self.store.now()?,
            AuditAction::Release,
            "booking",
            &name,
        );
        event.before = Some(serde_json::json!({
            "booking": booking,
            "service": found.service.as_str(),
            "expires_at": found.until.to_string(),
        }));
        self.append_audit_event(&event).await?;
        let released = Booking {
            id,
            group: group.to_owned(),
            number: found.number,
            code: None,
            expires_in: Duration::ZERO,
            pool: None,
        };
        let was_released = self.store.release_number(&found.service, &released);
        if was_released.await? {
            return Ok(());
        }
        Err(no_such_booking())
    }

    /// The usage, or all numbers free if the group is not synchronized to the store yet.
    fn usage_or_all_free(&self, group: &str, usage: PoolUsage) -> PoolUsage {
        let catalog = self.context.current_catalog.load();
        let configured = catalog.resource_group(group);
        configured.map_or(usage, |group| usage.or_all_free(group.group.numbers.len()))
    }

    /// Checks that a group is configured, or retired.
    fn require_group(&self, group: &str) -> Result<(), AdminError> {
        let catalog = self.context.current_catalog.load();
        let is_configured = catalog.resource_group(group).is_some();
        if is_configured
            || catalog
                .resource_groups()
                .retired()
                .iter()
                .any(|name| name == group)
        {
            return Ok(());
        }
        Err(AdminError::NoSuchEntry(Table::Resources, group.to_owned()))
    }
}
