//! Who holds which number, and giving one back by hand.

use std::time::Duration;

use super::{
    Admin, AdminError, Operator,
    history::{Action, Event},
};
use crate::store::{
    Booking, BookingId, ListedBooking, Moment, Page, Place, Pool, StoreError, Table,
};

impl Admin {
    /// The numbers of a group, in figures.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; what the store says.
    pub async fn fill(&self, group: &str) -> Result<Pool, AdminError> {
        self.check_group(group)?;
        let fills = self.store.fills_of(&[group]).await?;
        let fill = fills.first().copied();
        fill.ok_or_else(|| StoreError::Corrupt("no figures of a group".to_owned()).into())
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
        let mut event = Event::new(by, Moment::now(), Action::Release, "booking", &name);
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
