//! Bookings of access numbers for requests.

use std::{sync::Arc, time::Duration};

use super::{
    Catalog, ServiceError,
    access_code::parse_access_codes,
    definition::Definition,
    options::{BOOKING_TIMEOUT_RANGE, DEFAULT_GROUP},
    parameters::Parameters,
    parse_value::{parse_boolean, parse_integer_in_range},
    phone_numbers::PhoneNumbers,
    resource_groups::ResourceGroup,
};
use crate::{
    model::{
        BookResult, Booking, BookingOwner, BookingRequest, Group, StoreError,
        webhook::BookingWebhooks,
    },
    store::Store,
};

/// A validated request for an access number.
pub(super) struct NumberRequest {
    group: Arc<Group>,
    request: BookingRequest,
}

/// The result of booking a number for a create.
pub(super) enum NumberResult {
    /// The number is booked.
    Booked(Booking),
    /// A concurrent request with the same `Idempotency-Key` was faster. Contains its stored value.
    Replayed(String),
}

impl ResourceGroup {
    /// Whether services made from `definition` can use the group. A definition that names the group always can;
    /// otherwise the group's `_services` option decides, if set.
    fn is_available_to(&self, definition: &Definition) -> bool {
        let is_own = definition.option("_resource_group") == Some(&self.group.name);
        let allowed = self.services.as_ref();
        is_own || allowed.is_none_or(|services| services.contains(definition.name()))
    }
}

/// The subscriptions to the events of a booking; `None` if there are none.
fn booking_webhooks(definition: &Definition, group: &ResourceGroup) -> Option<BookingWebhooks> {
    let of_definition = definition.subscription();
    let of_group = group.webhook.as_ref().map(|webhook| webhook.subscription());
    (of_definition.is_some() || of_group.is_some()).then(|| BookingWebhooks {
        definition: definition.name().to_owned(),
        of_definition,
        of_group,
    })
}

impl NumberRequest {
    /// Parses the `parameters` of a service made from `definition`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for malformed values and unknown groups.
    pub(super) fn from_parameters(
        catalog: &Catalog,
        phone_numbers: PhoneNumbers,
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
        let resources = resources.filter(|group| group.is_available_to(definition));
        // One message for unknown and unavailable groups, so that it does not disclose names.
        let resources = resources.ok_or_else(|| {
            ServiceError::InvalidParameter(format!(
                "_resource_group is {name:?}; {:?} cannot use a group of that name",
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
        // Unlike other options, the request takes precedence over the service, and the service over the group.
        let option = "_booking_expiration_timeout";
        let requested = parameters.get(option);
        let timeout = match requested.or(definition.option(option)) {
            Some(seconds) => {
                let max =
                    requested.map_or(BOOKING_TIMEOUT_RANGE.1, |_| resources.max_requested_timeout);
                let seconds =
                    parse_integer_in_range(option, seconds, BOOKING_TIMEOUT_RANGE.0, max)?;
                Duration::from_secs(seconds)
            }
            None => resources.timeout,
        };
        let caller = effective("_phone_number");
        let caller =
            caller.map(|caller| phone_numbers.caller_from_parameter("_phone_number", caller));
        Ok(Self {
            group: Arc::clone(&resources.group),
            request: BookingRequest {
                caller: caller.transpose()?.flatten(),
                region: phone_numbers.region(),
                codes,
                timeout,
                include_pool: flag("_return_pool_health")?,
                webhooks: booking_webhooks(definition, resources),
            },
        })
    }

    /// The maximum duration of the booking.
    pub(super) fn timeout(&self) -> Duration {
        self.request.timeout
    }

    /// Books a number.
    ///
    /// # Errors
    /// [`ServiceError::NoAccessNumber`] if no number is free, [`ServiceError::NoSuchService`] if the existing `owner`
    /// does not exist.
    pub(super) async fn book_number(
        &self,
        store: &dyn Store,
        owner: BookingOwner<'_>,
    ) -> Result<Booking, ServiceError> {
        match self.book_number_or_replay(store, owner).await? {
            NumberResult::Booked(booking) => Ok(booking),
            NumberResult::Replayed(_) => {
                let message = "stored response without an idempotency key";
                Err(StoreError::Bug(message.to_owned()).into())
            }
        }
    }

    /// Books a number for a create, which may be a repetition.
    ///
    /// # Errors
    /// As of [`book_number`](Self::book_number).
    pub(super) async fn book_number_or_replay(
        &self,
        store: &dyn Store,
        owner: BookingOwner<'_>,
    ) -> Result<NumberResult, ServiceError> {
        match store.book_number(owner, &self.group, &self.request).await? {
            BookResult::Booked(booking) => Ok(NumberResult::Booked(booking)),
            BookResult::Replayed(stored) => Ok(NumberResult::Replayed(stored)),
            BookResult::Exhausted(retry_after) => Err(ServiceError::NoAccessNumber { retry_after }),
            // The cleanup removed the service before it was created.
            BookResult::ServiceNotFound if owner.is_new() => Err(ServiceError::UploadLost),
            BookResult::ServiceNotFound => Err(ServiceError::NoSuchService(owner.id().clone())),
        }
    }
}
