//! `match-interaction`: finds the service of an incoming call.

use crate::{
    model::{Call, MatchResult, ReadAll, ServiceId, StorageRead, StoreError},
    service::{
        ServiceError,
        create::PendingCreate,
        create_response::CreateResponseBody,
        parameters::Parameters,
        parse_value::parse_boolean,
        phone_numbers::{PhoneNumbers, to_ascii_digits},
        rate_limit::Attempt,
        storage::MAX_UNRESERVED_BYTES,
    },
};

/// The numbers of a call as received.
struct CallNumbers<'a> {
    dialed: &'a str,
    caller: Option<&'a str>,
}

impl CallNumbers<'_> {
    /// Adds the subscribers of the numbers, parsed under `region`.
    fn add_region(&self, region: String, call: &mut Call) {
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

impl PendingCreate {
    /// Finds the service of a call and releases its number.
    pub(in crate::service) async fn match_interaction(
        self,
        parameters: Parameters,
    ) -> Result<String, ServiceError> {
        let effective = |option| parameters.effective(&self.definition, option);
        let dialed = effective("_access_number").ok_or_else(|| {
            ServiceError::InvalidParameter("_access_number is missing".to_owned())
        })?;
        let numbers = CallNumbers {
            dialed,
            caller: effective("_phone_number"),
        };
        let dialed = self
            .context
            .phone_numbers
            .subscriber_from_parameter("_access_number", numbers.dialed)?;
        let caller = numbers.caller.map(|caller| {
            self.context
                .phone_numbers
                .caller_from_parameter("_phone_number", caller)
        });
        let caller = caller.transpose()?;
        let include_user_data = effective("_return_user_data");
        let include_user_data = include_user_data
            .map_or(Ok(false), |value| parse_boolean("_return_user_data", value))?;
        let code = self.access_code(&parameters)?;
        let (current_groups, other_groups) =
            self.catalog.resource_groups().partition_by_number(&dialed);
        let attempt =
            Attempt::begin_match(&*self.context.store, &self.context.rate_limit, &dialed).await?;
        if caller == Some(None) {
            // A caller number without comparable digits matches no booking.
            return Err(ServiceError::NoMatch(dialed));
        }
        let mut call = Call {
            dialed: vec![dialed.clone()],
            code,
            callers: caller.flatten().into_iter().collect(),
            regions: vec![self.context.phone_numbers.region()],
        };
        let response = loop {
            let mut found = self
                .match_call(&current_groups, &numbers, &mut call)
                .await?;
            if found.is_none() {
                found = self.match_call(&other_groups, &numbers, &mut call).await?;
            }
            let Some(id) = found else {
                return Err(ServiceError::NoMatch(dialed));
            };
            // If the service has ended in the meantime, the next newest booking counts.
            if let Some(response) = self.match_response(&id, include_user_data).await? {
                break response;
            }
        };
        attempt.refund(&*self.context.store).await;
        response.to_json()
    }

    /// The access code of the request. An empty code is rejected, because it would match any booking of the number:
    /// the routing side lost it, or the caller keyed in nothing.
    fn access_code(&self, parameters: &Parameters) -> Result<Option<String>, ServiceError> {
        let name = "_access_code";
        let code = parameters.effective(&self.definition, name);
        if code.is_none() && parameters.is_blank(name) {
            let option = "_allow_empty_access_code";
            let allowed = self.definition.option(option);
            if !allowed.map_or(Ok(false), |value| parse_boolean(option, value))? {
                return Err(ServiceError::InvalidParameter(format!(
                    "{name} is empty; expected a code, or omit the parameter (the option {option} permits empty codes)"
                )));
            }
        }
        Ok(code.map(|code| to_ascii_digits(code.trim())))
    }

    /// Matches a call in `groups`. If the groups have bookings of other regions, the numbers are parsed under those
    /// regions too.
    async fn match_call(
        &self,
        groups: &[String],
        numbers: &CallNumbers<'_>,
        call: &mut Call,
    ) -> Result<Option<ServiceId>, StoreError> {
        loop {
            match self.context.store.match_call(groups, call).await? {
                MatchResult::Matched(id) => return Ok(Some(id)),
                MatchResult::NoMatch => return Ok(None),
                MatchResult::OtherRegions(regions) => {
                    for region in regions {
                        numbers.add_region(region, call);
                    }
                }
            }
        }
    }

    /// The response with the service; `None` if it has ended.
    async fn match_response(
        &self,
        id: &ServiceId,
        include_user_data: bool,
    ) -> Result<Option<CreateResponseBody>, StoreError> {
        let response = CreateResponseBody::new(id).with("_data_id", id.to_string());
        if !include_user_data {
            return Ok(Some(response));
        }
        let data = self.read_user_data(id).await?;
        Ok(data.map(|data| response.with_user_data(data)))
    }

    async fn read_user_data(
        &self,
        id: &ServiceId,
    ) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let mut max_bytes = MAX_UNRESERVED_BYTES;
        loop {
            let read = ReadAll::strings(max_bytes);
            let read = self.context.store.read_all(id, &read).await;
            let read = read.map_err(|error| match error {
                // The number is already released.
                StoreError::Unavailable(reason) => StoreError::Unknown(reason),
                other => other,
            })?;
            match read {
                Some(StorageRead::Contents(contents)) => return Ok(Some(contents.texts)),
                Some(StorageRead::TooLarge { bytes }) => max_bytes = bytes,
                Some(StorageRead::Known(_)) | None => return Ok(None),
            }
        }
    }
}
