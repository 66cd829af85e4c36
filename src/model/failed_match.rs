//! Matches that failed, as operators see them.

use serde::{Deserialize, Serialize};

use super::Mismatch;

/// Why a call matched no booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchFailure {
    /// No resource group has the number.
    UnknownNumber,
    /// The number has no booking.
    NoBooking,
    /// The bookings of the number have other codes, or none.
    OtherCode,
    /// The bookings of the number have other callers, or none.
    OtherCaller,
    /// The bookings of the number have other codes and other callers.
    OtherCodeAndCaller,
    /// The booking has expired.
    Expired,
    /// The service of the booking has ended, or is not created yet.
    ServiceEnded,
    /// The number of the caller is withheld, or has no digits.
    CallerNotComparable,
    /// Too many matches of the number failed before.
    RateLimited,
    /// The reason was not determined.
    Undetermined,
}

impl MatchFailure {
    /// All failures.
    pub const ALL: [Self; 10] = [
        Self::UnknownNumber,
        Self::NoBooking,
        Self::OtherCode,
        Self::OtherCaller,
        Self::OtherCodeAndCaller,
        Self::Expired,
        Self::ServiceEnded,
        Self::CallerNotComparable,
        Self::RateLimited,
        Self::Undetermined,
    ];

    /// The name in responses and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownNumber => "unknown_number",
            Self::NoBooking => "no_booking",
            Self::OtherCode => "other_code",
            Self::OtherCaller => "other_caller",
            Self::OtherCodeAndCaller => "other_code_and_caller",
            Self::Expired => "expired",
            Self::ServiceEnded => "service_ended",
            Self::CallerNotComparable => "caller_not_comparable",
            Self::RateLimited => "rate_limited",
            Self::Undetermined => "undetermined",
        }
    }

    /// The failure in a sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::UnknownNumber => "No resource group has the number.",
            Self::NoBooking => {
                "The number has no booking: it was matched or released, or it expired, or it was never booked."
            }
            Self::OtherCode => "The access code is not that of a booking of the number.",
            Self::OtherCaller => "The caller is not that of a booking of the number.",
            Self::OtherCodeAndCaller => {
                "Neither access code nor caller are those of a booking of the number."
            }
            Self::Expired => "The booking has expired.",
            Self::ServiceEnded => "The service of the booking has ended, or was not created yet.",
            Self::CallerNotComparable => {
                "The number of the caller is withheld or has no digits, so it equals no number."
            }
            Self::RateLimited => {
                "Too many matches of the number failed before (rate_limit.failed_matches_per_number)."
            }
            Self::Undetermined => "The reason was not determined.",
        }
    }

    /// The failure for a booking that does not fit for these reasons; `None` without a reason.
    #[must_use]
    pub fn from_mismatches(mismatches: &[Mismatch]) -> Option<Self> {
        let has = |mismatch| mismatches.contains(&mismatch);
        match (has(Mismatch::OtherCode), has(Mismatch::OtherCaller)) {
            (true, true) => Some(Self::OtherCodeAndCaller),
            (true, false) => Some(Self::OtherCode),
            (false, true) => Some(Self::OtherCaller),
            (false, false) if has(Mismatch::Expired) => Some(Self::Expired),
            (false, false) => has(Mismatch::ServiceEnded).then_some(Self::ServiceEnded),
        }
    }

    /// The failure of a match, given the reasons for which each booking of the number does not fit, newest first: that of
    /// the newest one of the closest bookings. A booking whose code and caller fit is closer than any other; then the
    /// fewest reasons count.
    pub fn of_bookings<'a>(mismatches: impl IntoIterator<Item = &'a [Mismatch]>) -> Option<Self> {
        let unfit = mismatches.into_iter().filter(|reasons| !reasons.is_empty());
        let of_call =
            |reason: &&Mismatch| matches!(reason, Mismatch::OtherCode | Mismatch::OtherCaller);
        let closest =
            unfit.min_by_key(|reasons| (reasons.iter().filter(of_call).count(), reasons.len()));
        closest.and_then(Self::from_mismatches)
    }
}

/// A match that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedMatch {
    /// The time, in ISO 8601.
    pub time: String,
    /// The dialed number as it was received.
    pub access_number: String,
    /// The masked number of the caller; `None` if there was none, or if it is not comparable.
    pub caller: Option<String>,
    /// Whether a code was given.
    pub has_code: bool,
    /// The reason.
    pub reason: MatchFailure,
}

/// A failed match in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFailedMatch {
    /// Identifies the entry; ids increase with time.
    pub id: String,
    /// The match.
    pub failed: FailedMatch,
}

/// A page of the list of failed matches.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FailedMatchPage {
    /// The matches, newest first. Entries that this version cannot read are omitted.
    pub matches: Vec<ListedFailedMatch>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_the_closest_bookings_is_the_reason() {
        let reasons: [&[Mismatch]; 4] = [
            &[Mismatch::OtherCode, Mismatch::OtherCaller],
            &[Mismatch::OtherCaller],
            &[Mismatch::OtherCode],
            &[Mismatch::Expired, Mismatch::OtherCode],
        ];
        let failure = MatchFailure::of_bookings(reasons);
        assert_eq!(failure, Some(MatchFailure::OtherCaller));
        let ended: &[Mismatch] = &[Mismatch::Expired, Mismatch::ServiceEnded];
        let failure = MatchFailure::of_bookings(reasons.into_iter().chain([ended]));
        assert_eq!(failure, Some(MatchFailure::Expired));
        let failure = MatchFailure::of_bookings(reasons.into_iter().take(1));
        assert_eq!(failure, Some(MatchFailure::OtherCodeAndCaller));
        assert_eq!(MatchFailure::of_bookings([]), None);
        let fits: &[Mismatch] = &[];
        assert_eq!(MatchFailure::of_bookings([fits]), None);
    }

    #[test]
    fn names_are_those_of_stored_entries() {
        for failure in MatchFailure::ALL {
            let stored = serde_json::to_value(failure).unwrap();
            assert_eq!(stored, failure.name());
        }
    }
}
