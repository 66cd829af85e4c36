//! What a request wants of a resource group.

use std::{sync::Arc, time::Duration};

use super::{
    Catalog, ServiceError,
    access_code::parse_access_codes,
    definition::Definition,
    parameters::{Parameters, parse_boolean, parse_integer_in_range},
    phone_numbers::PhoneNumbers,
    resource_groups::ResourceGroup,
    schema::{BOOKING_TIMEOUT_RANGE, DEFAULT_GROUP},
};
use crate::store::{BookResult, Booking, BookingOwner, BookingRequest, Group, Store};

/// A wish for a number, ready to be asked of a store.
pub(super) struct NumberRequest {
    group: Arc<Group>,
    request: BookingRequest,
}

impl ResourceGroup {
    /// Whether services made from `definition` may take numbers. An operator who names the group in the definition
    /// needs no permission; otherwise the group decides, where it says anything.
    fn is_available_to(&self, definition: &Definition) -> bool {
        let is_own = definition.option("_resource_group") == Some(&self.group.name);
        let listed = self.services.as_ref();
        is_own || listed.is_none_or(|services| services.contains(definition.name()))
    }
}

impl NumberRequest {
    /// What `parameters` want of a service made from `definition`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for what is malformed or names no group.
    pub(super) fn from_parameters(
        catalog: &Catalog,
        numbering: PhoneNumbers,
        definition: &Definition,
        parameters: &Parameters,
    ) -> Result<Self, ServiceError> {
        let effective = |option| parameters.effective(definition, option);
        let flag = |option| {
            let value = effective(option);
            value.map_or(Ok(false), |value| parse_boolean(option, value))
        };
        let name = effective("_resource_group").unwrap_or(DEFAULT_GROUP);
        let resources = catalog.resource_group(name);
        let resources = resources.filter(|known| known.is_available_to(definition));
        // The same for a group that does not exist and for one of others: names are not told.
        let resources = resources.ok_or_else(|| {
            ServiceError::InvalidParameter(format!(
                "_resource_group is {name:?}; {:?} may not take numbers from a group of that name",
                definition.name()
            ))
        })?;
        let codes = if flag("_provide_code")? {
            let length = effective("_access_code_length");
            Some(parse_access_codes(
                length,
                effective("_access_code_prefix"),
            )?)
        } else {
            None
        };
        // The stated exception: the request's value wins over the service's, that over the group's.
        let option = "_booking_expiration_timeout";
        let requested = parameters.get(option);
        let timeout = match requested.or(definition.option(option)) {
            Some(seconds) => {
                let most =
                    requested.map_or(BOOKING_TIMEOUT_RANGE.1, |_| resources.max_requested_timeout);
                let seconds =
                    parse_integer_in_range(option, seconds, BOOKING_TIMEOUT_RANGE.0, most)?;
                Duration::from_secs(seconds)
            }
            None => resources.timeout,
        };
        let caller = effective("_phone_number");
        let caller = caller.map(|caller| numbering.caller_from_parameter("_phone_number", caller));
        Ok(Self {
            group: Arc::clone(&resources.group),
            request: BookingRequest {
                caller: caller.transpose()?.flatten(),
                region: numbering.region(),
                codes,
                timeout,
                include_pool: flag("_return_pool_health")?,
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
    pub(super) async fn book_number(
        &self,
        store: &dyn Store,
        holder: BookingOwner<'_>,
    ) -> Result<Booking, ServiceError> {
        match store
            .book_number(holder, &self.group, &self.request)
            .await?
        {
            BookResult::Booked(booking) => Ok(booking),
            BookResult::Exhausted(wait) => Err(ServiceError::NoAccessNumber {
                group: self.group.name.clone(),
                retry_after: wait,
            }),
            // The clean-up was faster than the making.
            BookResult::ServiceNotFound if holder.is_new() => Err(ServiceError::UploadLost),
            BookResult::ServiceNotFound => Err(ServiceError::NoSuchService(holder.id().clone())),
        }
    }
}
