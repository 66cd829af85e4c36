//! Incoming calls, as matches and their explanations compare them with bookings.

use super::{
    ServiceError,
    phone_numbers::{PhoneNumbers, to_ascii_digits},
};
use crate::model::Call;

/// The numbers and the code of a call.
pub(super) struct IncomingCall<'a> {
    /// The dialed number as received.
    pub(super) dialed: &'a str,
    /// The number of the caller as received.
    caller: Option<&'a str>,
    /// The dialed subscriber, parsed under the default region of this replica.
    pub(super) subscriber: String,
    /// Whether there is a caller that equals no other: its number is withheld, or has no digits.
    pub(super) is_caller_withheld: bool,
    pub(super) call: Call,
}

/// The error for an `_access_code` that is present, but empty: it would match any booking of the number.
pub(super) fn blank_code() -> ServiceError {
    ServiceError::InvalidParameter(
        "_access_code is empty; expected a code, or omit the parameter (the option _allow_empty_access_code permits empty codes)"
            .to_owned(),
    )
}

impl<'a> IncomingCall<'a> {
    /// Parses the parameters `_access_number` and `_phone_number`.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] if the first one is missing, or if a number is too long.
    pub(super) fn parse(
        phone_numbers: PhoneNumbers,
        dialed: Option<&'a str>,
        caller: Option<&'a str>,
    ) -> Result<Self, ServiceError> {
        let dialed = dialed.ok_or_else(|| {
            ServiceError::InvalidParameter("_access_number is missing".to_owned())
        })?;
        let subscriber = phone_numbers.subscriber_from_parameter("_access_number", dialed)?;
        let compared =
            caller.map(|caller| phone_numbers.caller_from_parameter("_phone_number", caller));
        let compared = compared.transpose()?;
        Ok(Self {
            dialed,
            caller,
            is_caller_withheld: compared == Some(None),
            call: Call {
                dialed: vec![subscriber.clone()],
                code: None,
                callers: compared.flatten().into_iter().collect(),
                regions: vec![phone_numbers.region()],
            },
            subscriber,
        })
    }

    /// Sets the parameter `_access_code`.
    pub(super) fn set_code(&mut self, code: Option<&str>) {
        self.call.code = code.map(|code| to_ascii_digits(code.trim()));
    }

    /// Adds the subscribers of the numbers, parsed under `region`.
    pub(super) fn add_region(&mut self, region: String) {
        let call = &mut self.call;
        if let Some(phone_numbers) = PhoneNumbers::for_region(&region) {
            let dialed = phone_numbers.subscriber(self.dialed);
            if !call.dialed.contains(&dialed) {
                call.dialed.push(dialed);
            }
            let caller = self.caller.and_then(|caller| phone_numbers.caller(caller));
            call.callers
                .extend(caller.filter(|caller| !call.callers.contains(caller)));
        }
        call.regions.push(region);
    }
}
