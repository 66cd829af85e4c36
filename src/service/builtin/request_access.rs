//! `request-access`: books a number for an existing service.

use tracing::warn;

use crate::{
    model::{BookingOwner, Changes, ServiceId, binaries},
    service::{
        ServiceError, auth::authorize, book_number::NumberRequest, create::PendingCreate,
        create_response::CreateResponseBody, parameters::Parameters, storage::write_changes,
    },
};

impl PendingCreate {
    /// Books a number for the service `_id`. User data is written to the storage of that service.
    pub(in crate::service) async fn request_access(
        self,
        parameters: Parameters,
        changes: Changes,
    ) -> Result<String, ServiceError> {
        let id = parameters.get("_id").ok_or_else(|| {
            ServiceError::InvalidParameter(
                "_id is missing; expected the id of a service".to_owned(),
            )
        })?;
        let id = ServiceId::from(id.to_owned());
        if id.is_custom() {
            return Err(ServiceError::NoSuchService(id));
        }
        if id.is_storage_area() {
            return Err(ServiceError::InvalidParameter(
                "_id is that of a storage area, which has no access numbers; expected the id of a service"
                    .to_owned(),
            ));
        }
        // The request writes to that service and books a number for it, so it needs its credentials.
        let policy = self.catalog.access_policy();
        let (failed, address) = (&self.context.failed_credentials, self.address);
        authorize(
            policy,
            &*self.context.store,
            &id,
            &self.credentials,
            failed,
            address,
        )
        .await?;
        if binaries(&changes.set).next().is_some() {
            let message =
                "request-access accepts no files; write them to the storage of the service";
            return Err(ServiceError::InvalidParameter(message.to_owned()));
        }
        let number_request = NumberRequest::from_parameters(
            &self.catalog,
            self.context.phone_numbers,
            &self.definition,
            &parameters,
        )?;
        let booking = number_request
            .book_number(&*self.context.store, BookingOwner::Existing(&id))
            .await?;
        if !changes.set.is_empty() || !changes.remove.is_empty() {
            let applied = write_changes(&self.context, &id, &changes, None).await;
            if let Err(error) = applied {
                if let Err(error) = self.context.store.release_number(&id, &booking).await {
                    warn!(id = %id.redacted(), %error, "number not released; it is booked until its booking expires");
                }
                return Err(error);
            }
        }
        CreateResponseBody::default()
            .with_booking(&booking)
            .to_json()
    }
}
