//! `request-interaction`: an app asks for a number that its user may dial, and leaves what the agent
//! should know.

use tracing::warn;

use crate::{
    service::{
        ServiceError,
        answer::Answer,
        booking::Wish,
        creation::{CreateAnswer, Creation, Made},
        parameters::Parameters,
    },
    store::{Booking, Changes, Holder},
};

impl Creation {
    /// Books a number, then makes the service. If that fails the number goes back; if nobody is left
    /// to do so, the clean-up sees to it.
    pub(in crate::service) async fn request_interaction(
        self,
        parameters: Parameters,
        changes: Changes,
    ) -> Result<CreateAnswer, ServiceError> {
        let wish = Wish::of(&self.catalog, self.numbering, &self.definition, &parameters)?;
        let life = self.life(&parameters)?.max(wish.timeout());
        self.check_keys(&changes)?;
        let booking = wish.ask(&*self.store, Holder::New(&self.id)).await?;
        let answer = Answer::of(&self.id).with_booking(&booking).json()?;
        let (store, id) = (self.store.clone(), self.id.clone());
        let made = self
            .make(life, changes, Some(booking.clone()), Some(&answer))
            .await;
        let keeps = match &made {
            Ok(Made::Now) => true,
            Ok(Made::Before(_)) => false,
            // Where it may stand, the clean-up finds out.
            Err(error) => !error.changed_nothing(),
        };
        if !keeps && let Err(error) = store.release(&id, &booking).await {
            let Booking { group, number, .. } = booking;
            warn!(group, number, %error, "a number comes back when the clean-up finds it");
        }
        Ok(made?.answer(answer))
    }
}
