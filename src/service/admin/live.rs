//! Services that live, looked after by hand.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Admin, AdminError, Operator,
    history::{Action, Event},
};
use crate::{
    service::Pairs,
    store::{
        Beginning, Description, KeyName, ListedBooking, ListedService, Page, Place, ServiceId,
    },
};

/// Bookings that are asked for at a time.
const AT_ONCE: usize = 8;

/// A service, and the numbers that it holds.
#[derive(Debug)]
pub struct LiveService {
    /// The service.
    pub told: Description,
    /// Group, and the booking in it.
    pub bookings: Vec<(String, ListedBooking)>,
}

impl Admin {
    /// How many services live, about.
    ///
    /// # Errors
    /// What the store says.
    pub async fn count_live(&self) -> Result<u64, AdminError> {
        Ok(self.store.count_services().await?)
    }

    /// Living services in the order of their ends, behind `after`; `most` at most.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list_live(
        &self,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Page<ListedService>, AdminError> {
        Ok(self.store.services_by_end(after, most).await?)
    }

    /// One living service.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`](crate::service::ServiceError::NoSuchService); what the store says.
    pub async fn look_up(&self, id: &ServiceId) -> Result<LiveService, AdminError> {
        let told = self.services.describe(id).await?;
        let held = self.store.bookings_for(id).await?;
        let held = held.into_iter().map(async |(group, booking)| {
            let found = self.store.booking(&group, &booking).await;
            found.map(|found| found.map(|found| (group, found)))
        });
        let held: Vec<_> = stream::iter(held).buffered(AT_ONCE).try_collect().await?;
        let bookings = held.into_iter().flatten().collect();
        Ok(LiveService { told, bookings })
    }

    /// How strings of a service begin, `most` bytes of each at most; in the order of `keys`, `None` where a
    /// name holds none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn beginnings(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        most: usize,
    ) -> Result<Vec<Option<Beginning>>, AdminError> {
        Ok(self.store.beginnings(id, keys, most).await?)
    }

    /// Moves the end of a service, as a client may.
    ///
    /// # Errors
    /// As [`Services::set_end`](crate::service::Services::set_end). Once it is noted in the history, the
    /// change may still fail.
    pub async fn extend(
        &self,
        id: &ServiceId,
        pairs: &Pairs,
        by: &Operator,
    ) -> Result<(), AdminError> {
        let end = self.services.requested_end(pairs)?;
        let before = self.services.describe(id).await?;
        let mut event = Event::new(
            by,
            self.store.now()?,
            Action::Extend,
            "live service",
            id.as_str(),
        );
        event.before = Some(serde_json::json!({"end": before.end.to_string()}));
        event.after = Some(serde_json::json!({"end": end.to_string()}));
        self.note(&event).await?;
        Ok(self.services.move_end(id, end).await?)
    }

    /// Ends a service.
    ///
    /// # Errors
    /// As [`Services::delete`](crate::service::Services::delete). Once it is noted in the history, the
    /// change may still fail.
    pub async fn end(&self, id: &ServiceId, by: &Operator) -> Result<(), AdminError> {
        let before = self.services.describe(id).await?;
        let mut event = Event::new(
            by,
            self.store.now()?,
            Action::End,
            "live service",
            id.as_str(),
        );
        event.before = Some(serde_json::json!({
            "service": before.definition,
            "created": before.created.to_string(),
            "end": before.end.to_string(),
        }));
        self.note(&event).await?;
        Ok(self.services.delete(id).await?)
    }
}
