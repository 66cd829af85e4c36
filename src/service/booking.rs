//! What a request wants of a resource group.

use std::{sync::Arc, time::Duration};

use super::{
    Catalog, ServiceError,
    access_code::access_codes,
    definition::Definition,
    parameters::{Parameters, boolean, whole_number},
    resources::Resources,
    schema::{DEFAULT_GROUP, HELD},
    subscriber::Numbering,
};
use crate::store::{Booked, Booking, BookingRequest, Group, Holder, Store};

/// A wish for a number, ready to be asked of a store.
pub(super) struct Wish {
    group: Arc<Group>,
    request: BookingRequest,
}

impl Resources {
    /// Whether services made from `definition` may take numbers. An operator who names the group in the definition
    /// needs no permission; otherwise the group decides, where it says anything.
    fn may_be_taken_by(&self, definition: &Definition) -> bool {
        let is_own = definition.option("_resource_group") == Some(&self.group.name);
        let listed = self.services.as_ref();
        is_own || listed.is_none_or(|services| services.contains(definition.name()))
    }
}

impl Wish {
    /// What `parameters` want of a service made from `definition`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for what is malformed or names no group.
    pub(super) fn of(
        catalog: &Catalog,
        numbering: Numbering,
        definition: &Definition,
        parameters: &Parameters,
    ) -> Result<Self, ServiceError> {
        let effective = |option| parameters.effective(definition, option);
        let flag = |option| {
            let value = effective(option);
            value.map_or(Ok(false), |value| boolean(option, value))
        };
        let name = effective("_resource_group").unwrap_or(DEFAULT_GROUP);
        let resources = catalog.resources(name);
        let resources = resources.filter(|known| known.may_be_taken_by(definition));
        // The same for a group that does not exist and for one of others: names are not told.
        let resources = resources.ok_or_else(|| {
            ServiceError::InvalidParameter(format!(
                "_resource_group is {name:?}; {:?} may not take numbers from a group of that name",
                definition.name()
            ))
        })?;
        let codes = if flag("_provide_code")? {
            let length = effective("_access_code_length");
            Some(access_codes(length, effective("_access_code_prefix"))?)
        } else {
            None
        };
        // The stated exception: the request's value wins over the service's, that over the group's.
        let option = "_booking_expiration_timeout";
        let requested = parameters.get(option);
        let timeout = match requested.or(definition.option(option)) {
            Some(seconds) => {
                let most = requested.map_or(HELD.1, |_| resources.max_requested_timeout);
                let seconds = whole_number(option, seconds, HELD.0, most)?;
                Duration::from_secs(seconds)
            }
            None => resources.timeout,
        };
        let caller = effective("_phone_number");
        let caller = caller.map(|caller| numbering.requested_caller("_phone_number", caller));
        Ok(Self {
            group: Arc::clone(&resources.group),
            request: BookingRequest {
                caller: caller.transpose()?.flatten(),
                region: numbering.region(),
                codes,
                timeout,
                tell_pool: flag("_return_pool_health")?,
            },
        })
    }

    /// How long the number is held at most.
    pub(super) fn timeout(&self) -> Duration {
        self.request.timeout
    }

    /// Asks for it.
    ///
    /// # Errors
    /// [`ServiceError::NoAccessNumber`] where all are taken, [`ServiceError::NoSuchService`] where the
    /// holder must live and does not.
    pub(super) async fn ask(
        &self,
        store: &dyn Store,
        holder: Holder<'_>,
    ) -> Result<Booking, ServiceError> {
        match store.book(holder, &self.group, &self.request).await? {
            Booked::Held(booking) => Ok(booking),
            Booked::NoneFree(wait) => Err(ServiceError::NoAccessNumber {
                group: self.group.name.clone(),
                wait,
            }),
            // The clean-up was faster than the making.
            Booked::NoService if holder.is_new() => Err(ServiceError::UploadLost),
            Booked::NoService => Err(ServiceError::NoSuchService(holder.id().clone())),
        }
    }
}
