//! Services that live, looked after by hand.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    service::FormData,
    store::{Cursor, Description, KeyName, ListedBooking, ListedService, Page, Preview, ServiceId},
};

/// Bookings that are asked for at a time.
const MAX_CONCURRENT: usize = 8;

/// Services that a search reads at a time, and in all.
const SEARCH_PAGE_SIZE: usize = 500;
const MAX_SEARCHED: usize = 20_000;

/// Services that a search has found.
#[derive(Debug)]
pub struct ServiceSearchResult {
    /// In the order of their ends.
    pub services: Vec<ListedService>,
    /// Whether all living services were searched.
    pub complete: bool,
}

/// A service, and the numbers that it holds.
#[derive(Debug)]
pub struct ActiveService {
    /// The service.
    pub description: Description,
    /// Group, and the booking in it.
    pub bookings: Vec<(String, ListedBooking)>,
}

impl Admin {
    /// How many services live, about.
    ///
    /// # Errors
    /// What the store says.
    pub async fn count_services(&self) -> Result<u64, AdminError> {
        Ok(self.store.count_services().await?)
    }

    /// Living services in the order of their ends, behind `after`; `most` at most.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list_services(
        &self,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedService>, AdminError> {
        Ok(self.store.services_by_end(after, most).await?)
    }

    /// Living services whose ids begin with `prefix`, in letters of any case, `most` at most. Only so many of
    /// them are read, those that end first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn find_services(
        &self,
        prefix: &str,
        most: usize,
    ) -> Result<ServiceSearchResult, AdminError> {
        let begins = |id: &ServiceId| {
            let head = id.as_str().get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let (mut services, mut after, mut searched) = (Vec::new(), None, 0);
        loop {
            let page = self.list_services(after.as_ref(), SEARCH_PAGE_SIZE).await?;
            searched += SEARCH_PAGE_SIZE;
            services.extend(page.entries.into_iter().filter(|one| begins(&one.id)));
            after = page.next;
            let full = services.len() > most;
            services.truncate(most);
            if full || after.is_none() || searched >= MAX_SEARCHED {
                let complete = after.is_none() && !full;
                return Ok(ServiceSearchResult { services, complete });
            }
        }
    }

    /// One living service.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`](crate::service::ServiceError::NoSuchService); what the store says.
    pub async fn get_service(&self, id: &ServiceId) -> Result<ActiveService, AdminError> {
        let told = self.services.describe(id).await?;
        let held = self.store.bookings_of_service(id).await?;
        let held = held.into_iter().map(async |(group, booking)| {
            let found = self.store.booking(&group, &booking).await;
            found.map(|found| found.map(|found| (group, found)))
        });
        let held: Vec<_> = stream::iter(held)
            .buffered(MAX_CONCURRENT)
            .try_collect()
            .await?;
        let bookings = held.into_iter().flatten().collect();
        Ok(ActiveService {
            description: told,
            bookings,
        })
    }

    /// How strings of a service begin, `most` bytes of each at most; in the order of `keys`, `None` where a
    /// name holds none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        most: usize,
    ) -> Result<Vec<Option<Preview>>, AdminError> {
        Ok(self.store.previews(id, keys, most).await?)
    }

    /// Moves the end of a service, as a client may.
    ///
    /// # Errors
    /// As [`Services::set_end`](crate::service::Services::set_end). Once it is noted in the history, the
    /// change may still fail.
    pub async fn set_service_end(
        &self,
        id: &ServiceId,
        pairs: &FormData,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let end = self.services.requested_end(pairs)?;
        let before = self.services.describe(id).await?;
        let mut event = AuditRecord::new(
            by,
            self.store.now()?,
            AuditAction::SetExpiration,
            "active service",
            id.as_str(),
        );
        event.before = Some(serde_json::json!({"end": before.end.to_string()}));
        event.after = Some(serde_json::json!({"end": end.to_string()}));
        self.append_audit_event(&event).await?;
        Ok(self.services.set_end_at(id, end).await?)
    }

    /// Ends a service.
    ///
    /// # Errors
    /// As [`Services::delete`](crate::service::Services::delete). Once it is noted in the history, the
    /// change may still fail.
    pub async fn delete_service(&self, id: &ServiceId, by: &Actor) -> Result<(), AdminError> {
        let before = self.services.describe(id).await?;
        let mut event = AuditRecord::new(
            by,
            self.store.now()?,
            AuditAction::Delete,
            "active service",
            id.as_str(),
        );
        event.before = Some(serde_json::json!({
            "service": before.definition,
            "created": before.created.to_string(),
            "end": before.end.to_string(),
        }));
        self.append_audit_event(&event).await?;
        Ok(self.services.delete(id).await?)
    }
}
