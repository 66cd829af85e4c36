//! `request-interaction`: an app asks for a number that its user may dial, and leaves what the agent
//! should know.

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
    /// Books a number, then makes the service. If that fails the number goes back; if nobody is left
    /// to do so, the clean-up sees to it.
    pub(in crate::service) async fn request_interaction(
        self,
        parameters: Parameters,
        changes: Changes,
    ) -> Result<CreateResponse, ServiceError> {
        let wish = NumberRequest::from_parameters(
            &self.catalog,
            self.phone_numbers,
            &self.definition,
            &parameters,
        )?;
        let life = self.ttl(&parameters)?.max(wish.timeout());
        self.check_key_count(&changes)?;
        let booking = wish
            .book_number(&*self.store, BookingOwner::New(&self.id))
            .await?;
        let answer = CreateResponseBody::new(&self.id)
            .with_booking(&booking)
            .to_json()?;
        let (store, id) = (self.store.clone(), self.id.clone());
        let made = self
            .create(life, changes, Some(booking.clone()), Some(&answer))
            .await;
        let keeps = match &made {
            Ok(CreateOutcome::Created) => true,
            Ok(CreateOutcome::Replayed(_)) => false,
            // Where it may stand, the clean-up finds out.
            Err(error) => !error.had_no_effect(),
        };
        if !keeps && let Err(error) = store.release_number(&id, &booking).await {
            let Booking { group, number, .. } = booking;
            warn!(group, number, %error, "a number comes back when the clean-up finds it");
        }
        Ok(made?.into_response(answer))
    }
}
