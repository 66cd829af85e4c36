//! `request-access`: a number for a service that exists.

use tracing::warn;

use crate::{
    service::{
        ServiceError, auth::authorize, book_number::NumberRequest, create::PendingCreate,
        create_response::CreateResponseBody, parameters::Parameters, storage::write_changes,
    },
    store::{BookingOwner, Changes, ServiceId, Value},
};

impl PendingCreate {
    /// Books a number for the service that `_id` names. User data goes to that service's storage.
    pub(in crate::service) async fn request_access(
        self,
        parameters: Parameters,
        changes: Changes,
    ) -> Result<String, ServiceError> {
        let id = parameters.get("_id").ok_or_else(|| {
            ServiceError::InvalidParameter("_id is missing: the id of a service".to_owned())
        })?;
        let id = ServiceId::from(id.to_owned());
        // It writes to that service and takes a number in its name: both are as locked as it is.
        let locks = self.catalog.access_policy();
        let (failed, address) = (&self.failed_credentials, self.address);
        authorize(locks, &*self.store, &id, &self.credentials, failed, address).await?;
        if changes
            .set
            .iter()
            .any(|(_, value)| matches!(value, Value::Binary(_)))
        {
            let message = "request-access takes no files; write them to the service's storage";
            return Err(ServiceError::InvalidParameter(message.to_owned()));
        }
        let wish = NumberRequest::from_parameters(
            &self.catalog,
            self.phone_numbers,
            &self.definition,
            &parameters,
        )?;
        let booking = wish
            .book_number(&*self.store, BookingOwner::Existing(&id))
            .await?;
        if !changes.set.is_empty() || !changes.remove.is_empty() {
            let applied = write_changes(&*self.store, &id, changes, self.limits.keys).await;
            if let Err(error) = applied {
                if let Err(error) = self.store.release_number(&id, &booking).await {
                    warn!(id = %id.redacted(), %error, "a number comes back when its time has run out");
                }
                return Err(error);
            }
        }
        CreateResponseBody::default()
            .with_booking(&booking)
            .to_json()
    }
}
