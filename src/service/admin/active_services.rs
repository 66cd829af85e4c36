//! Active services: listing, search, extension and deletion by operators.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    model::{Cursor, Description, KeyName, ListedBooking, ListedService, Page, Preview, ServiceId},
    service::FormData,
};

/// Maximum number of bookings that are read concurrently.
const MAX_CONCURRENT: usize = 8;

/// Number of services that a search reads per page, and in total.
const SEARCH_PAGE_SIZE: usize = 500;
const MAX_SEARCHED: usize = 20_000;

/// The result of a search for services.
#[derive(Debug)]
pub struct ServiceSearchResult {
    /// The services by expiration time.
    pub services: Vec<ListedService>,
    /// Whether all active services were searched.
    pub complete: bool,
}

/// A service and its bookings.
#[derive(Debug)]
pub struct ActiveService {
    /// The service.
    pub description: Description,
    /// Resource groups and bookings.
    pub bookings: Vec<(String, ListedBooking)>,
}

impl Admin {
    /// The approximate number of active services.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn count_services(&self) -> Result<u64, AdminError> {
        Ok(self.store.count_services().await?)
    }

    /// At most `limit` active services after the cursor `after`, by expiration time.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn list_services(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedService>, AdminError> {
        Ok(self.store.services_by_end(after, limit).await?)
    }

    /// At most `limit` active services whose ids, or custom ids, begin with `prefix`, ignoring case. The search reads
    /// a limited number of services, in the order of their expiration times.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn find_services(
        &self,
        prefix: &str,
        limit: usize,
    ) -> Result<ServiceSearchResult, AdminError> {
        let begins_with_prefix = |text: &str| {
            let head = text.get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let matches_prefix = |id: &ServiceId| {
            let custom_id = id.custom_id();
            begins_with_prefix(id.as_str()) || custom_id.is_some_and(|id| begins_with_prefix(&id))
        };
        let (mut services, mut after, mut searched) = (Vec::new(), None, 0);
        loop {
            let page = self.list_services(after.as_ref(), SEARCH_PAGE_SIZE).await?;
            searched += SEARCH_PAGE_SIZE;
            services.extend(
                page.entries
                    .into_iter()
                    .filter(|one| matches_prefix(&one.id)),
            );
            after = page.next;
            let full = services.len() > limit;
            services.truncate(limit);
            if full || after.is_none() || searched >= MAX_SEARCHED {
                let complete = after.is_none() && !full;
                return Ok(ServiceSearchResult { services, complete });
            }
        }
    }

    /// An active service and its bookings.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`](crate::service::ServiceError::NoSuchService), errors of the store.
    pub async fn get_service(&self, id: &ServiceId) -> Result<ActiveService, AdminError> {
        let description = self.services.describe(id).await?;
        let bookings = self.store.bookings_of_service(id).await?;
        let bookings = bookings.into_iter().map(async |(group, booking)| {
            let found = self.store.booking(&group, &booking).await;
            found.map(|found| found.map(|found| (group, found)))
        });
        let bookings: Vec<_> = stream::iter(bookings)
            .buffered(MAX_CONCURRENT)
            .try_collect()
            .await?;
        let bookings = bookings.into_iter().flatten().collect();
        Ok(ActiveService {
            description,
            bookings,
        })
    }

    /// The beginnings of strings of a service, at most `max_bytes` of each, in the order of `keys`. `None` for names
    /// without a string.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        max_bytes: usize,
    ) -> Result<Vec<Option<Preview>>, AdminError> {
        Ok(self.store.previews(id, keys, max_bytes).await?)
    }

    /// Sets the expiration time of a service.
    ///
    /// # Errors
    /// As [`Services::set_end`](crate::service::Services::set_end). The change can still fail after the audit log
    /// entry is written.
    pub async fn set_service_end(
        &self,
        id: &ServiceId,
        form: &FormData,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let end = self.services.requested_end(form)?;
        let before = self.services.describe(id).await?;
        let mut event = AuditRecord::of_service(
            by,
            self.store.now()?,
            AuditAction::SetExpiration,
            "active service",
            id,
        );
        event.before = Some(serde_json::json!({"end": before.end.to_string()}));
        event.after = Some(serde_json::json!({"end": end.to_string()}));
        self.append_audit_event(&event).await?;
        Ok(self.services.set_end_at(id, end).await?)
    }

    /// Ends a service.
    ///
    /// # Errors
    /// As [`Services::delete`](crate::service::Services::delete). The change can still fail after the audit log entry
    /// is written.
    pub async fn delete_service(&self, id: &ServiceId, by: &Actor) -> Result<(), AdminError> {
        let before = self.services.describe(id).await?;
        let mut event = AuditRecord::of_service(
            by,
            self.store.now()?,
            AuditAction::Delete,
            "active service",
            id,
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
