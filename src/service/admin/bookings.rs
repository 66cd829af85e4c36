//! Who holds which number, and giving one back by hand.

use std::{cmp::Reverse, time::Duration};

use super::{
    Admin, AdminError, Operator,
    history::{Action, Event},
    trend::BATCH,
};
use crate::store::{Booking, BookingId, ListedBooking, Page, Place, Pool, StoreError, Table};

/// The resource groups of which the most numbers are held.
#[derive(Debug, Default, Clone)]
pub struct Fullest {
    /// Each by its name, with its numbers in figures.
    pub fills: Vec<(String, Pool)>,
    /// How many groups there are.
    pub of: usize,
    /// Whether it is known which groups these are: where not all are told, it has to be looked first.
    pub is_known: bool,
}

impl Admin {
    /// The numbers of a group, in figures.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; what the store says.
    pub async fn fill(&self, group: &str) -> Result<Pool, AdminError> {
        self.check_group(group)?;
        let fills = self.store.fills_of(&[group]).await?;
        let fill = fills.first().copied();
        let fill = fill.ok_or_else(|| StoreError::Corrupt("no figures of a group".to_owned()))?;
        Ok(self.filled(group, fill))
    }

    /// Names of the configured groups.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        let known = self.office.in_force.now();
        let groups = known.pools().groups();
        groups.map(|group| group.name.clone()).collect()
    }

    /// The numbers of these configured groups, in figures. Asked for some at a time, so that nothing else
    /// waits behind many.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fills(&self, groups: Vec<String>) -> Result<Vec<(String, Pool)>, AdminError> {
        let mut all = Vec::with_capacity(groups.len());
        for batch in groups.chunks(BATCH) {
            let names: Vec<&str> = batch.iter().map(String::as_str).collect();
            all.extend(self.store.fills_of(&names).await?);
        }
        let fills = groups.into_iter().zip(all).map(|(name, fill)| {
            let fill = self.filled(&name, fill);
            (name, fill)
        });
        Ok(fills.collect())
    }

    /// The numbers of the configured groups, by name. Where there are more than `most`, it is those that were the
    /// fullest when this replica last looked or, before that, the first ones.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fullest(&self, most: usize) -> Result<Fullest, AdminError> {
        let mut names = self.group_names();
        let (of, mut is_known) = (names.len(), true);
        if of > most {
            let held = self.office.trend.newest();
            is_known = !held.is_empty();
            names.sort_by_key(|name| Reverse(held.get(name).copied().unwrap_or_default()));
            names.truncate(most);
            names.sort();
        }
        Ok(Fullest {
            fills: self.fills(names).await?,
            of,
            is_known,
        })
    }

    /// Bookings of a group, those that run out first before others; or those of one number, oldest first.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; [`AdminError::Service`] for what is no number, and what the store says.
    pub async fn bookings(
        &self,
        group: &str,
        number: Option<&str>,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Page<ListedBooking>, AdminError> {
        self.check_group(group)?;
        let Some(number) = number else {
            return Ok(self.store.bookings_by_end(group, after, most).await?);
        };
        let subscriber = self.office.rules.numbering.requested("number", number)?;
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
    pub async fn release(
        &self,
        group: &str,
        booking: &str,
        by: &Operator,
    ) -> Result<(), AdminError> {
        let id = BookingId::from(booking.to_owned());
        let found = self.store.booking(group, &id).await?;
        let found = found.ok_or_else(|| AdminError::NoSuchBooking {
            group: group.to_owned(),
            booking: booking.to_owned(),
        })?;
        let name = format!("{group}/{}", found.number);
        let mut event = Event::new(by, self.store.now()?, Action::Release, "booking", &name);
        event.before = Some(serde_json::json!({
            "booking": booking,
            "service": found.service.as_str(),
            "until": found.until.to_string(),
        }));
        self.note(&event).await?;
        let held = Booking {
            id,
            group: group.to_owned(),
            number: found.number,
            code: None,
            held_for: Duration::ZERO,
            pool: None,
        };
        Ok(self.store.release(&found.service, &held).await?)
    }

    /// A group that the store may not have been told of yet.
    fn filled(&self, group: &str, fill: Pool) -> Pool {
        let known = self.office.in_force.now();
        let known = known.resources(group);
        known.map_or(fill, |known| fill.or_all_free(known.group.numbers.len()))
    }

    /// A group that is configured, or was of late.
    fn check_group(&self, group: &str) -> Result<(), AdminError> {
        let known = self.office.in_force.now();
        let there = known.resources(group).is_some();
        if there || known.pools().retired().iter().any(|name| name == group) {
            return Ok(());
        }
        Err(AdminError::NoSuchEntry(Table::Resources, group.to_owned()))
    }
}
