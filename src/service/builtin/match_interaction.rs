//! `match-interaction`: finds the service of an incoming call.

use crate::{
    model::{MatchFailure, MatchResult, ReadAll, ServiceId, StorageRead, StoreError},
    service::{
        ServiceError,
        create::PendingCreate,
        create_response::CreateResponseBody,
        failed_matches::{Reason, UnrecordedMatch},
        incoming_call::{IncomingCall, blank_code},
        parameters::Parameters,
        parse_value::parse_boolean,
        rate_limit::Attempt,
        storage::MAX_UNRESERVED_BYTES,
    },
};

impl PendingCreate {
    /// Finds the service of a call and releases its number.
    pub(in crate::service) async fn match_interaction(
        self,
        parameters: Parameters,
    ) -> Result<String, ServiceError> {
        let effective = |option| parameters.effective(&self.definition, option);
        let mut incoming = IncomingCall::parse(
            self.context.phone_numbers,
            effective("_access_number"),
            // A caller is given, but nothing of it can be compared.
            effective("_phone_number").or_else(|| parameters.white_space("_phone_number")),
        )?;
        let include_user_data = effective("_return_user_data");
        let include_user_data = include_user_data
            .map_or(Ok(false), |value| parse_boolean("_return_user_data", value))?;
        incoming.set_code(self.access_code(&parameters)?);
        let (store, limits) = (&*self.context.store, &self.context.rate_limit);
        let attempt = Attempt::begin_match(store, limits, &incoming.subscriber).await;
        let attempt = attempt.inspect_err(|error| {
            if matches!(error, ServiceError::RateLimited { .. }) {
                self.record_failure(&incoming, Reason::Known(MatchFailure::RateLimited));
            }
        })?;
        let response = self
            .match_incoming(&mut incoming, include_user_data)
            .await?;
        attempt.refund(store).await;
        response.to_json()
    }

    /// Finds the service of a call and releases its number.
    async fn match_incoming(
        &self,
        incoming: &mut IncomingCall<'_>,
        include_user_data: bool,
    ) -> Result<CreateResponseBody, ServiceError> {
        let groups = self.catalog.resource_groups();
        let (current_groups, other_groups) = groups.partition_by_number(&incoming.subscriber);
        let no_match =
            |incoming: &IncomingCall<'_>| ServiceError::NoMatch(incoming.subscriber.clone());
        if incoming.is_caller_withheld {
            let reason = Reason::Known(MatchFailure::CallerNotComparable);
            self.record_failure(incoming, reason);
            return Err(no_match(incoming));
        }
        let mut has_expired = false;
        loop {
            let found = self.match_call(&current_groups, incoming, &mut has_expired);
            let mut found = found.await?;
            if found.is_none() {
                let others = self.match_call(&other_groups, incoming, &mut has_expired);
                found = others.await?;
            }
            let Some(id) = found else {
                let reason = if has_expired {
                    Reason::Known(MatchFailure::Expired)
                } else {
                    Reason::of_bookings(current_groups, other_groups)
                };
                self.record_failure(incoming, reason);
                return Err(no_match(incoming));
            };
            // If the service has ended in the meantime, the next newest booking counts.
            if let Some(response) = self.match_response(&id, include_user_data).await? {
                return Ok(response);
            }
        }
    }

    /// Adds a match that failed to the list of failed ones.
    fn record_failure(&self, incoming: &IncomingCall<'_>, reason: Reason) {
        if let Ok(now) = self.context.store.now() {
            let unrecorded = UnrecordedMatch::new(incoming, now, reason);
            self.context.failed_matches.add(unrecorded);
        }
    }

    /// The access code of the request. An empty code is rejected, because it would match any booking of the number:
    /// the routing side lost it, or the caller keyed in nothing.
    fn access_code<'a>(
        &'a self,
        parameters: &'a Parameters,
    ) -> Result<Option<&'a str>, ServiceError> {
        let name = "_access_code";
        let code = parameters.effective(&self.definition, name);
        if code.is_none() && parameters.is_blank(name) {
            let option = "_allow_empty_access_code";
            let allowed = self.definition.option(option);
            if !allowed.map_or(Ok(false), |value| parse_boolean(option, value))? {
                return Err(blank_code());
            }
        }
        Ok(code)
    }

    /// Matches a call in `groups`. If the groups have bookings of other regions, the numbers are parsed under those
    /// regions too. Sets `has_expired` if a booking fit except that it had expired.
    async fn match_call(
        &self,
        groups: &[String],
        incoming: &mut IncomingCall<'_>,
        has_expired: &mut bool,
    ) -> Result<Option<ServiceId>, StoreError> {
        loop {
            let (store, call) = (&self.context.store, &incoming.call);
            match store.match_call(groups, call).await? {
                MatchResult::Matched(id) => return Ok(Some(id)),
                MatchResult::NoMatch {
                    has_expired: expired,
                } => {
                    *has_expired |= expired;
                    return Ok(None);
                }
                MatchResult::OtherRegions {
                    regions,
                    has_expired: expired,
                } => {
                    *has_expired |= expired;
                    for region in regions {
                        incoming.add_region(region);
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
