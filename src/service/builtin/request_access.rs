//! `request-access`: a number for a service that exists.

use tracing::warn;

use crate::{
    service::{
        ServiceError, answer::Answer, booking::Wish, creation::Creation, locks::admit,
        parameters::Parameters, storage::apply,
    },
    store::{Changes, Holder, ServiceId, Value},
};

impl Creation {
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
        let locks = self.catalog.locks();
        let (failed, address) = (&self.failed_credentials, self.address);
        admit(locks, &*self.store, &id, &self.shown, failed, address).await?;
        if changes
            .set
            .iter()
            .any(|(_, value)| matches!(value, Value::Binary(_)))
        {
            let message = "request-access takes no files; write them to the service's storage";
            return Err(ServiceError::InvalidParameter(message.to_owned()));
        }
        let wish = Wish::of(&self.catalog, self.numbering, &self.definition, &parameters)?;
        let booking = wish.ask(&*self.store, Holder::Existing(&id)).await?;
        if !changes.set.is_empty() || !changes.remove.is_empty() {
            let applied = apply(&*self.store, &id, changes, self.limits.keys).await;
            if let Err(error) = applied {
                if let Err(error) = self.store.release(&id, &booking).await {
                    warn!(id = %id.hint(), %error, "a number comes back when its time has run out");
                }
                return Err(error);
            }
        }
        Answer::default().with_booking(&booking).json()
    }
}
