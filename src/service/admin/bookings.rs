//! Bookings of resource groups, and the release of a number by an operator.

use std::time::Duration;

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
    group_usage::{BATCH_SIZE, MAX_SAMPLED_GROUPS},
};
use crate::model::{Booking, BookingId, Cursor, ListRange, ListedBooking, Page, Table};

impl Admin {
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

    /// Checks that a group is configured, or retired.
    pub(super) fn require_group(&self, group: &str) -> Result<(), AdminError> {
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
