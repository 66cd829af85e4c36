//! The responses of requests about matches.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    model::{FailedMatchPage, MatchFailure, Mismatch, Timestamp},
    service::{ExplainedBooking, MatchExplanation},
};

/// How a call would be matched
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MatchExplanation)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchExplanationResponse {
    #[schema(format = DateTime)]
    time: String,
    /// The dialed number as it is compared
    access_number: String,
    /// The resource groups with the number
    groups: Vec<String>,
    /// Why no booking would be matched now; null if one would. `rate_limited` takes precedence over other reasons
    #[schema(required, inline, value_type = Option<FailureName>)]
    failure: Option<&'static str>,
    /// The result in sentences
    message: String,
    /// If too many calls to the number did not match: until then `match-interaction` rejects all calls to it with 429.
    /// Otherwise null
    #[schema(required, format = DateTime)]
    rate_limited_until: Option<String>,
    /// Whether `bookings` are all bookings of the number. At most 1,000 of each group are listed; if there are more, no
    /// booking is marked as the match, and `failure` is `undetermined`
    is_complete: bool,
    /// The bookings that were considered, newest first: those in the groups with the number and, if none of them fits,
    /// those in other groups
    bookings: Vec<ExplainedBookingResponse>,
}

/// A booking that was considered
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedBooking)]
#[serde(deny_unknown_fields)]
struct ExplainedBookingResponse {
    /// The id of the booking
    booking: String,
    group: String,
    number: String,
    /// The id of the service
    service: String,
    /// The masked number of the expected caller; null if there is none: then only calls without a caller fit
    #[schema(required)]
    caller: Option<String>,
    /// Whether the caller has to key in an access code
    has_code: bool,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Seconds until the booking expires; 0 if it has expired
    expires_in_seconds: f64,
    /// Whether it would be matched, at present or after the rate limit
    is_match: bool,
    /// Why it does not fit; empty if it fits
    #[schema(inline, value_type = Vec<MismatchName>)]
    mismatches: Vec<&'static str>,
    /// The same in sentences
    message: String,
}

/// Matches that failed, newest first
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailedMatches)]
#[serde(deny_unknown_fields)]
pub(super) struct FailedMatchPageResponse {
    failed_matches: Vec<FailedMatchResponse>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// A match that failed
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailedMatch)]
#[serde(deny_unknown_fields)]
struct FailedMatchResponse {
    #[schema(format = DateTime)]
    time: String,
    /// The dialed number as it was received
    access_number: String,
    /// The masked number of the caller; null if there was none, or if it is withheld
    #[schema(required)]
    caller: Option<String>,
    /// Whether an access code was given
    has_code: bool,
    #[schema(inline, value_type = FailureName)]
    reason: &'static str,
}

/// Why a call matched no booking
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
enum FailureName {
    UnknownNumber,
    NoBooking,
    OtherCode,
    OtherCaller,
    OtherCodeAndCaller,
    Expired,
    ServiceEnded,
    CallerNotComparable,
    RateLimited,
    Undetermined,
}

/// Why a booking does not fit a call
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
enum MismatchName {
    Expired,
    OtherCode,
    OtherCaller,
    ServiceEnded,
}

impl MatchExplanationResponse {
    pub(super) fn new(explanation: &MatchExplanation) -> Self {
        let bookings = explanation.bookings.iter();
        let bookings = bookings.map(|booking| ExplainedBookingResponse::new(explanation, booking));
        Self {
            time: explanation.time.to_string(),
            access_number: explanation.subscriber.clone(),
            groups: explanation.groups.clone(),
            failure: explanation.failure().map(MatchFailure::name),
            message: explanation.message(),
            rate_limited_until: explanation.rate_limited_until.map(|time| time.to_string()),
            is_complete: explanation.is_complete,
            bookings: bookings.collect(),
        }
    }
}

impl ExplainedBookingResponse {
    fn new(explanation: &MatchExplanation, explained: &ExplainedBooking) -> Self {
        let booking = &explained.booking;
        Self {
            booking: booking.id.as_str().to_owned(),
            group: booking.group.clone(),
            number: booking.number.clone(),
            service: booking.service.as_str().to_owned(),
            caller: explained.masked_caller(),
            has_code: booking.code.is_some(),
            expires_at: booking.until.to_string(),
            expires_in_seconds: remaining_seconds(booking.until, explanation.time),
            is_match: explained.is_match,
            mismatches: explained
                .mismatches
                .iter()
                .copied()
                .map(Mismatch::name)
                .collect(),
            message: explanation.message_of(explained),
        }
    }
}

impl FailedMatchPageResponse {
    pub(super) fn new(page: FailedMatchPage) -> Self {
        let entries = page.matches.into_iter().map(|entry| FailedMatchResponse {
            time: entry.failed.time,
            access_number: entry.failed.access_number,
            caller: entry.failed.caller,
            has_code: entry.failed.has_code,
            reason: entry.failed.reason.name(),
        });
        Self {
            failed_matches: entries.collect(),
            next: page.next,
        }
    }
}

fn remaining_seconds(until: Timestamp, now: Timestamp) -> f64 {
    until.since(now).as_secs_f64()
}
