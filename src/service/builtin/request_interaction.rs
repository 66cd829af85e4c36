//! `request-interaction`: creates a service and books a number that the caller dials.

use tracing::warn;

use crate::{
    service::{
        ServiceError,
        book_number::NumberRequest,
        create::{CreateOutcome, CreateResponse, PendingCreate},
        create_response::CreateResponseBody,
        parameters::Parameters,
    },
    store::{Booking, BookingOwner, Changes},
};

impl PendingCreate {
    /// Books a number, then creates the service. If the create fails, the number is released, here or by the cleanup.
    pub(in crate::service) async fn request_interaction(
        self,
        parameters: Parameters,
        changes: Changes,
    ) -> Result<CreateResponse, ServiceError> {
        let number_request = NumberRequest::from_parameters(
            &self.catalog,
            self.phone_numbers,
            &self.definition,
            &parameters,
        )?;
        let ttl = self.ttl(&parameters)?.max(number_request.timeout());
        self.check_key_count(&changes)?;
        let booking = number_request
            .book_number(&*self.store, BookingOwner::New(&self.id))
            .await?;
        let response = CreateResponseBody::new(&self.id)
            .with_booking(&booking)
            .to_json()?;
        let (store, id) = (self.store.clone(), self.id.clone());
        let result = self
            .create(ttl, changes, Some(booking.clone()), Some(&response))
            .await;
        let keep_booking = match &result {
            Ok(CreateOutcome::Created) => true,
            Ok(CreateOutcome::Replayed(_)) => false,
            // If the service may exist, the cleanup decides.
            Err(error) => !error.had_no_effect(),
        };
        if !keep_booking && let Err(error) = store.release_number(&id, &booking).await {
            let Booking { group, number, .. } = booking;
            warn!(group, number, %error, "number not released; the cleanup releases it");
        }
        Ok(result?.into_response(response))
    }
}
