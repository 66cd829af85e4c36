//! `match-interaction`: the routing side asks who is calling.

use crate::{
    service::{
        ServiceError,
        create::PendingCreate,
        create_response::CreateResponseBody,
        parameters::{Parameters, parse_boolean},
        phone_numbers::{PhoneNumbers, to_ascii_digits},
        rate_limit::Attempt,
        storage::MAX_UNRESERVED_BYTES,
    },
    store::{AllTexts, Call, MatchResult, ServiceId, StoreError},
};

/// The numbers of a call, as they are written.
struct CallNumbers<'a> {
    dialed: &'a str,
    caller: Option<&'a str>,
}

impl CallNumbers<'_> {
    /// Adds the subscribers that the numbers reach under `region`.
    fn add_region(&self, region: String, call: &mut Call) {
        if let Some(numbering) = PhoneNumbers::for_region(&region) {
            let dialled = numbering.subscriber(self.dialed);
            if !call.dialed.contains(&dialled) {
                call.dialed.push(dialled);
            }
            let caller = self.caller.and_then(|caller| numbering.caller(caller));
            call.callers
                .extend(caller.filter(|caller| !call.callers.contains(caller)));
        }
        call.regions.push(region);
    }
}

impl PendingCreate {
    /// Finds the service that a call is for, and gives its number back.
    pub(in crate::service) async fn match_interaction(
        self,
        parameters: Parameters,
    ) -> Result<String, ServiceError> {
        let effective = |option| parameters.effective(&self.definition, option);
        let dialled = effective("_access_number").ok_or_else(|| {
            ServiceError::InvalidParameter("_access_number is missing".to_owned())
        })?;
        let said = CallNumbers {
            dialed: dialled,
            caller: effective("_phone_number"),
        };
        let dialled = self
            .phone_numbers
            .subscriber_from_parameter("_access_number", said.dialed)?;
        let caller = said.caller.map(|caller| {
            self.phone_numbers
                .caller_from_parameter("_phone_number", caller)
        });
        let caller = caller.transpose()?;
        let wants_data = effective("_return_user_data");
        let wants_data =
            wants_data.map_or(Ok(false), |value| parse_boolean("_return_user_data", value))?;
        let code = self.access_code(&parameters)?;
        let (today, others) = self.catalog.resource_groups().partition_by_number(&dialled);
        let attempt = Attempt::begin_match(&*self.store, &self.rate_limit, &dialled).await?;
        if caller == Some(None) {
            // A caller is given, and there is nothing to compare: that is no caller of any booking.
            return Err(ServiceError::NoMatch(dialled));
        }
        let mut call = Call {
            dialed: vec![dialled.clone()],
            code,
            callers: caller.flatten().into_iter().collect(),
            regions: vec![self.phone_numbers.region()],
        };
        let answer = loop {
            let mut found = self.match_call(&today, &said, &mut call).await?;
            if found.is_none() {
                found = self.match_call(&others, &said, &mut call).await?;
            }
            let Some(id) = found else {
                return Err(ServiceError::NoMatch(dialled));
            };
            // It may have ended since it was found; then the next one is the newest.
            if let Some(answer) = self.match_response(&id, wants_data).await? {
                break answer;
            }
        };
        attempt.refund(&*self.store).await;
        answer.to_json()
    }

    /// The code keyed in. One that is given and empty would match any booking of the number: the routing
    /// side lost it, or the caller keyed in nothing.
    fn access_code(&self, parameters: &Parameters) -> Result<Option<String>, ServiceError> {
        let name = "_access_code";
        let code = parameters.effective(&self.definition, name);
        if code.is_none() && parameters.is_blank(name) {
            let option = "_allow_empty_access_code";
            let allowed = self.definition.option(option);
            if !allowed.map_or(Ok(false), |value| parse_boolean(option, value))? {
                return Err(ServiceError::InvalidParameter(format!(
                    "{name} is empty; a code is expected, or no such parameter ({option} allows it)"
                )));
            }
        }
        Ok(code.map(|code| to_ascii_digits(code.trim())))
    }

    /// The service that a call is for; where numbers of other regions may be booked, the call is read under
    /// those too.
    async fn match_call(
        &self,
        groups: &[String],
        said: &CallNumbers<'_>,
        call: &mut Call,
    ) -> Result<Option<ServiceId>, StoreError> {
        loop {
            match self.store.match_call(groups, call).await? {
                MatchResult::Matched(id) => return Ok(Some(id)),
                MatchResult::NoMatch => return Ok(None),
                MatchResult::OtherRegions(regions) => {
                    for region in regions {
                        said.add_region(region, call);
                    }
                }
            }
        }
    }

    /// The answer with the service; `None` where it has ended.
    async fn match_response(
        &self,
        id: &ServiceId,
        wants_data: bool,
    ) -> Result<Option<CreateResponseBody>, StoreError> {
        let answer = CreateResponseBody::new(id).with("_data_id", id.to_string());
        if !wants_data {
            return Ok(Some(answer));
        }
        let data = self.read_user_data(id).await?;
        Ok(data.map(|data| answer.with_user_data(data)))
    }

    async fn read_user_data(
        &self,
        id: &ServiceId,
    ) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let mut max_bytes = MAX_UNRESERVED_BYTES;
        loop {
            let read = self.store.read_all(id, max_bytes).await;
            let read = read.map_err(|error| match error {
                // The number is given back already.
                StoreError::Unavailable(reason) => StoreError::Unknown(reason),
                other => other,
            })?;
            match read {
                Some(AllTexts::Texts(texts)) => return Ok(Some(texts)),
                Some(AllTexts::TooLarge { bytes }) => max_bytes = bytes,
                None => return Ok(None),
            }
        }
    }
}
