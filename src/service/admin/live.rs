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

/// Services that a search reads at a time, and in all.
const SEARCH_PAGE: usize = 500;
const MAX_SEARCHED: usize = 20_000;

/// Services that a search has found.
#[derive(Debug)]
pub struct FoundServices {
    /// In the order of their ends.
    pub services: Vec<ListedService>,
    /// Whether all living services were searched.
    pub complete: bool,
}

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

    /// Living services whose ids begin with `prefix`, in letters of any case, `most` at most. Only so many of
    /// them are read, those that end first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find_live(&self, prefix: &str, most: usize) -> Result<FoundServices, AdminError> {
        let begins = |id: &ServiceId| {
            let head = id.as_str().get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let (mut services, mut after, mut searched) = (Vec::new(), None, 0);
        loop {
            let page = self.list_live(after.as_ref(), SEARCH_PAGE).await?;
            searched += SEARCH_PAGE;
            services.extend(page.entries.into_iter().filter(|one| begins(&one.id)));
            after = page.next;
            let full = services.len() > most;
            services.truncate(most);
            if full || after.is_none() || searched >= MAX_SEARCHED {
                let complete = after.is_none() && !full;
                return Ok(FoundServices { services, complete });
            }
        }
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
