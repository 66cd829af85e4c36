//! `request-interaction`: creates a service and books a number that the caller dials.

use tracing::warn;

use crate::{
    model::{Booking, BookingOwner, Changes},
    service::{
        ServiceError,
        book_number::{NumberRequest, NumberResult},
        create::{CreateOutcome, CreateResponse, PendingCreate, replay},
        create_response::CreateResponseBody,
        parameters::Parameters,
    },
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
            self.context.phone_numbers,
            &self.definition,
            &parameters,
        )?;
        let ttl = self.ttl(&parameters)?.max(number_request.timeout());
        self.check_key_count(&changes)?;
        let request = self.idempotent_request.as_ref();
        let owner = match request {
            Some(request) => BookingOwner::NewRepeatable(&self.id, request.digest()),
            None => BookingOwner::New(&self.id),
        };
        let booking = match number_request
            .book_number_or_replay(&*self.context.store, owner)
            .await?
        {
            NumberResult::Booked(booking) => booking,
            NumberResult::Replayed(stored) => {
                return Ok(replay(request, &stored)?.into_response(String::new()));
            }
        };
        let is_repeatable = request.is_some();
        let response = CreateResponseBody::new(&self.id)
            .with_booking(&booking)
            .to_json()?;
        let (store, id) = (self.context.store.clone(), self.id.clone());
        let result = self
            .create(ttl, changes, Some(booking.clone()), Some(&response))
            .await;
        let released = match &result {
            Ok(CreateOutcome::Created) => Ok(()),
            // Repetitions of a request use one booking, which belongs to the service, unless a call matched it before
            // this request booked it.
            Ok(CreateOutcome::Replayed(_)) => store.release_pending_number(&id, &booking).await,
            // If the service may exist, the cleanup decides.
            Err(error) if !error.had_no_effect() => Ok(()),
            // The service is that of another request, with another booking.
            Err(ServiceError::IdempotencyKeyReused) => {
                store.release_number(&id, &booking).await.map(drop)
            }
            Err(_) if is_repeatable => store.release_pending_number(&id, &booking).await,
            Err(_) => store.release_number(&id, &booking).await.map(drop),
        };
        if let Err(error) = released {
            let Booking { group, number, .. } = booking;
            warn!(group, number, %error, "number not released; the cleanup releases it");
        }
        Ok(result?.into_response(response))
    }
}
