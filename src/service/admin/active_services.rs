//! Active services: extension and deletion by operators.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    model::{Description, KeyName, ListedBooking, Preview, ServiceId, Timestamp},
    service::FormData,
};

/// Maximum number of bookings that are read concurrently.
const MAX_CONCURRENT: usize = 8;

/// A service and its bookings.
#[derive(Debug)]
pub struct ActiveService {
    /// The service.
    pub description: Description,
    /// Resource groups and bookings.
    pub bookings: Vec<(String, ListedBooking)>,
}

impl Admin {
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
        self.set_service_end_at(id, end, by).await
    }

    /// As [`Self::set_service_end`], with the time.
    pub(super) async fn set_service_end_at(
        &self,
        id: &ServiceId,
        end: Timestamp,
        by: &Actor,
    ) -> Result<(), AdminError> {
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
