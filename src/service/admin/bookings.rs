//! Who holds which number, and giving one back by hand.

use std::{cmp::Reverse, time::Duration};

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
    group_usage::BATCH_SIZE,
};
use crate::store::{Booking, BookingId, Cursor, ListedBooking, Page, PoolUsage, StoreError, Table};

/// The resource groups of which the most numbers are held.
#[derive(Debug, Default, Clone)]
pub struct MostUsedGroups {
    /// Each by its name, with its numbers in figures.
    pub usage: Vec<(String, PoolUsage)>,
    /// How many groups there are.
    pub total_groups: usize,
    /// Whether it is known which groups these are: where not all are told, it has to be looked first.
    pub has_samples: bool,
}

impl Admin {
    /// The numbers of a group, in figures.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; what the store says.
    pub async fn pool_usage(&self, group: &str) -> Result<PoolUsage, AdminError> {
        self.require_group(group)?;
        let fills = self.store.pool_usages(&[group]).await?;
        let fill = fills.first().copied();
        let fill = fill.ok_or_else(|| StoreError::Corrupt("no figures of a group".to_owned()))?;
        Ok(self.usage_or_all_free(group, fill))
    }

    /// Names of the configured groups.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        let known = self.context.current_catalog.load();
        let groups = known.resource_groups().groups();
        groups.map(|group| group.name.clone()).collect()
    }

    /// The numbers of these configured groups, in figures. Asked for some at a time, so that nothing else
    /// waits behind many.
    ///
    /// # Errors
    /// What the store says.
    pub async fn pool_usages(
        &self,
        groups: Vec<String>,
    ) -> Result<Vec<(String, PoolUsage)>, AdminError> {
        let mut all = Vec::with_capacity(groups.len());
        for batch in groups.chunks(BATCH_SIZE) {
            let names: Vec<&str> = batch.iter().map(String::as_str).collect();
            all.extend(self.store.pool_usages(&names).await?);
        }
        let fills = groups.into_iter().zip(all).map(|(name, fill)| {
            let fill = self.usage_or_all_free(&name, fill);
            (name, fill)
        });
        Ok(fills.collect())
    }

    /// The numbers of the configured groups, by name. Where there are more than `most`, it is those that were the
    /// fullest when this replica last looked or, before that, the first ones.
    ///
    /// # Errors
    /// What the store says.
    pub async fn most_used_groups(&self, most: usize) -> Result<MostUsedGroups, AdminError> {
        let mut names = self.group_names();
        let (of, mut is_known) = (names.len(), true);
        if of > most {
            let held = self.context.group_usage.latest_usage();
            is_known = !held.is_empty();
            names.sort_by_key(|name| Reverse(held.get(name).copied().unwrap_or_default()));
            names.truncate(most);
            names.sort();
        }
        Ok(MostUsedGroups {
            usage: self.pool_usages(names).await?,
            total_groups: of,
            has_samples: is_known,
        })
    }

    /// Bookings of a group, those that run out first before others; or those of one number, oldest first.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; [`AdminError::Service`] for what is no number, and what the store says.
    pub async fn list_bookings(
        &self,
        group: &str,
        number: Option<&str>,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedBooking>, AdminError> {
        self.require_group(group)?;
        let Some(number) = number else {
            return Ok(self.store.bookings_by_end(group, after, most).await?);
        };
        let subscriber = self
            .context
            .catalog_context
            .phone_numbers
            .subscriber_from_parameter("number", number)?;
        let found = self.store.bookings_of_number(group, &subscriber, most);
        Ok(Page {
            entries: found.await?,
            next: None,
        })
    }

    /// Gives a number back, whatever the service does that holds it.
    ///
    /// # Errors
    /// [`AdminError::NoSuchBooking`]; what the store says. Once it is noted in the history, the change may
    /// still fail.
    pub async fn release_number(
        &self,
        group: &str,
        booking: &str,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let id = BookingId::from(booking.to_owned());
        let found = self.store.booking(group, &id).await?;
        let found = found.ok_or_else(|| AdminError::NoSuchBooking {
            group: group.to_owned(),
            booking: booking.to_owned(),
        })?;
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
        let held = Booking {
            id,
            group: group.to_owned(),
            number: found.number,
            code: None,
            expires_in: Duration::ZERO,
            pool: None,
        };
        Ok(self.store.release_number(&found.service, &held).await?)
    }

    /// A group that the store may not have been told of yet.
    fn usage_or_all_free(&self, group: &str, fill: PoolUsage) -> PoolUsage {
        let known = self.context.current_catalog.load();
        let known = known.resource_group(group);
        known.map_or(fill, |known| fill.or_all_free(known.group.numbers.len()))
    }

    /// A group that is configured, or was of late.
    fn require_group(&self, group: &str) -> Result<(), AdminError> {
        let known = self.context.current_catalog.load();
        let there = known.resource_group(group).is_some();
        if there
            || known
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
