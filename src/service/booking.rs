//! What a request wants of a resource group.

use std::{sync::Arc, time::Duration};

use super::{
    Catalog, ServiceError,
    access_code::access_codes,
    definition::Definition,
    parameters::{Parameters, boolean, whole_number},
    schema::{DEFAULT_GROUP, HELD},
    subscriber::Numbering,
};
use crate::store::{Booked, Booking, BookingRequest, Group, Holder, Store};

/// A wish for a number, ready to be asked of a store.
pub(super) struct Wish {
    group: Arc<Group>,
    request: BookingRequest,
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
        let resources = catalog.resources(name).ok_or_else(|| {
            let known = catalog.pools().names();
            ServiceError::InvalidParameter(format!(
                "_resource_group is {name:?}; one of these is allowed: {known}"
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
        let timeout = parameters.get(option).or(definition.option(option));
        let timeout = match timeout {
            Some(seconds) => {
                let seconds = whole_number(option, seconds, HELD.0, HELD.1)?;
                Duration::from_secs(seconds)
            }
            None => resources.timeout,
        };
        let caller = effective("_phone_number");
        let caller = caller.map(|caller| numbering.requested("_phone_number", caller));
        Ok(Self {
            group: Arc::clone(&resources.group),
            request: BookingRequest {
                caller: caller.transpose()?,
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
