//! Explanations of matches: which bookings a call would be compared with, and which one it would match.

use std::collections::HashSet;

use super::{Admin, AdminError};
use crate::{
    model::{
        FailedMatchPage, MatchCandidate, MatchFailure, Mismatch, ServiceId, StoreError, Timestamp,
        newest_match,
    },
    service::{
        FormData,
        incoming_call::{IncomingCall, blank_code},
        phone_numbers::mask_subscriber,
        rate_limit::failed_matches_reset_in,
    },
};

/// The number of bookings of a number in a group that an explanation lists.
const MAX_BOOKINGS: usize = 1_000;

/// How a call would be matched.
#[derive(Debug)]
pub struct MatchExplanation {
    /// The time of the explanation.
    pub time: Timestamp,
    /// The dialed number as it is compared.
    pub subscriber: String,
    /// The caller as received.
    pub caller: Option<String>,
    /// The current resource groups with the number.
    pub groups: Vec<String>,
    /// The bookings of the number that were considered, newest first.
    pub bookings: Vec<ExplainedBooking>,
    /// Whether these are all of them. If not, none is marked: a booking that is not listed may be matched.
    pub is_complete: bool,
    /// Why no booking fits; `None` if one does.
    pub comparison: Option<MatchFailure>,
    /// When calls to the number are compared again, if too many did not match: until then they are rejected.
    pub rate_limited_until: Option<Timestamp>,
}

/// A booking that was considered.
#[derive(Debug)]
pub struct ExplainedBooking {
    /// The booking.
    pub booking: MatchCandidate,
    /// Why it does not fit; empty if it fits.
    pub mismatches: Vec<Mismatch>,
    /// Whether it would be matched.
    pub is_match: bool,
}

impl MatchExplanation {
    /// Why no booking would be matched now; `None` if one would.
    #[must_use]
    pub fn failure(&self) -> Option<MatchFailure> {
        let limited = self.rate_limited_until.map(|_| MatchFailure::RateLimited);
        limited.or(self.comparison)
    }
}

impl ExplainedBooking {
    /// The masked number of the caller.
    #[must_use]
    pub fn masked_caller(&self) -> Option<String> {
        self.booking.caller.as_deref().map(mask_subscriber)
    }
}

/// The bookings that a search in some groups considers.
#[derive(Default)]
struct Considered {
    bookings: Vec<MatchCandidate>,
    is_complete: bool,
    active: HashSet<ServiceId>,
}

impl Considered {
    /// Compares the call with each booking, newest first. One is marked as the match only if these are all bookings.
    fn explain(mut self, incoming: &IncomingCall<'_>) -> Vec<ExplainedBooking> {
        self.bookings.sort_by(|a, b| b.id.cmp(&a.id));
        let is_active = |id: &ServiceId| self.active.contains(id);
        let matched = newest_match(&incoming.call, &self.bookings, is_active);
        let matched = matched.filter(|_| self.is_complete && !incoming.is_caller_withheld);
        let matched = matched.map(|matched| (matched.group.clone(), matched.id.clone()));
        let explain = |booking: MatchCandidate| {
            let compared = booking.compared();
            let mismatches = incoming
                .call
                .mismatches(compared, || self.active.contains(&booking.service));
            // A withheld caller is not among the callers of the call.
            let withheld = incoming.is_caller_withheld.then_some(Mismatch::OtherCaller);
            let mismatches = mismatches.chain(withheld).collect();
            let is_match = matched
                .as_ref()
                .is_some_and(|(group, id)| *group == booking.group && *id == booking.id);
            ExplainedBooking {
                booking,
                mismatches,
                is_match,
            }
        };
        self.bookings.into_iter().map(explain).collect()
    }
}

impl Admin {
    /// Explains which booking a call with the parameters of `match-interaction` would match. Nothing changes.
    ///
    /// # Errors
    /// [`AdminError::Service`] for an invalid parameter, as in a match, and errors of the store.
    pub async fn explain_match(&self, form: &FormData) -> Result<MatchExplanation, AdminError> {
        let code = form.text("_access_code");
        if code.is_some_and(|code| code.trim().is_empty()) {
            return Err(blank_code().into());
        }
        let text = |name| form.text(name).filter(|text| !text.trim().is_empty());
        let phone_numbers = self.context.catalog_context.phone_numbers;
        let caller = form.text("_phone_number").filter(|text| !text.is_empty());
        let dialed = text("_access_number");
        let mut incoming = IncomingCall::parse(phone_numbers, dialed, caller)?;
        incoming.set_code(code);
        let catalog = self.context.current_catalog.load();
        let groups = catalog.resource_groups();
        let (current_groups, other_groups) = groups.partition_by_number(&incoming.subscriber);
        let considered = self.consider(&current_groups, &mut incoming).await?;
        let mut is_complete = considered.is_complete;
        let mut bookings = considered.explain(&incoming);
        if is_complete && !bookings.iter().any(|booking| booking.is_match) {
            let others = self.consider(&other_groups, &mut incoming).await?;
            is_complete = others.is_complete;
            bookings.extend(others.explain(&incoming));
        }
        let (limits, dialed) = (&self.services.context.rate_limit, &incoming.subscriber);
        let resets_in = failed_matches_reset_in(&*self.store, limits, dialed).await?;
        let now = self.store.now()?;
        Ok(MatchExplanation {
            time: now,
            comparison: comparison(&bookings, is_complete, &incoming, &current_groups),
            rate_limited_until: resets_in.map(|resets_in| now.after(resets_in)),
            subscriber: incoming.subscriber,
            caller: caller.map(str::to_owned),
            groups: current_groups,
            bookings,
            is_complete,
        })
    }

    /// Reads the bookings of the number in `groups`. If the groups have bookings of other regions, the numbers are parsed
    /// under those regions too, as for a match.
    async fn consider(
        &self,
        groups: &[String],
        incoming: &mut IncomingCall<'_>,
    ) -> Result<Considered, StoreError> {
        let mut considered = Considered {
            is_complete: true,
            ..Considered::default()
        };
        let mut remaining = groups.iter();
        while let Some(group) = remaining.next() {
            let dialed = &incoming.call.dialed;
            let found = self
                .store
                .match_candidates(group, dialed, MAX_BOOKINGS)
                .await?;
            let known = &incoming.call.regions;
            let unknown: Vec<_> = found
                .regions
                .into_iter()
                .filter(|region| !known.contains(region))
                .collect();
            if !unknown.is_empty() {
                for region in unknown {
                    incoming.add_region(region);
                }
                considered.bookings.clear();
                remaining = groups.iter();
                continue;
            }
            considered.is_complete &= found.is_complete;
            considered.bookings.extend(found.bookings);
        }
        let services = considered
            .bookings
            .iter()
            .map(|booking| booking.service.clone());
        let services: Vec<_> = services.collect::<HashSet<_>>().into_iter().collect();
        let states = self.store.are_active(&services).await?;
        let states = services.into_iter().zip(states);
        considered.active = states
            .filter_map(|(id, is_active)| is_active.then_some(id))
            .collect();
        Ok(considered)
    }

    /// At most `limit` failed matches before the cursor `before`, newest first.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn failed_matches(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<FailedMatchPage, AdminError> {
        Ok(self.store.failed_matches(before, limit).await?)
    }
}

/// Why none of the bookings fits.
fn comparison(
    bookings: &[ExplainedBooking],
    is_complete: bool,
    incoming: &IncomingCall<'_>,
    groups: &[String],
) -> Option<MatchFailure> {
    if bookings.iter().any(|booking| booking.is_match) {
        return None;
    }
    if incoming.is_caller_withheld {
        return Some(MatchFailure::CallerNotComparable);
    }
    if !is_complete {
        return Some(MatchFailure::Undetermined);
    }
    let mismatches = bookings.iter().map(|booking| booking.mismatches.as_slice());
    let without_booking = if groups.is_empty() {
        MatchFailure::UnknownNumber
    } else {
        MatchFailure::NoBooking
    };
    Some(MatchFailure::of_bookings(mismatches).unwrap_or(without_booking))
}
