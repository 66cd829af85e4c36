//! Explanations of matches as text.

use super::{ExplainedBooking, MatchExplanation};
use crate::model::{MatchFailure, Mismatch};

impl MatchExplanation {
    /// The result in sentences.
    #[must_use]
    pub fn message(&self) -> String {
        if self.rate_limited_until.is_none() {
            return self.comparison_message();
        }
        format!(
            "Too many calls to the number did not match, so all are rejected (429) until the window of \
             rate_limit.failed_matches_per_number ends. After that: {}",
            self.comparison_message()
        )
    }

    /// The result apart from the rate limit, in one sentence.
    fn comparison_message(&self) -> String {
        match self.comparison {
            None => "A match would take the booking that is marked.".to_owned(),
            Some(MatchFailure::Undetermined) => {
                "The number has more bookings than are listed, and a match may take one of the others."
                    .to_owned()
            }
            Some(failure) => failure.description().to_owned(),
        }
    }

    /// Why a booking would be matched or not.
    #[must_use]
    pub fn message_of(&self, booking: &ExplainedBooking) -> String {
        if booking.is_match && self.rate_limited_until.is_some() {
            return "A match would take this booking after the rate limit.".to_owned();
        }
        if booking.is_match {
            return "A match would take this booking.".to_owned();
        }
        if booking.mismatches.is_empty() && !self.is_complete {
            return "It fits, but a booking that is not listed may be matched first.".to_owned();
        }
        if booking.mismatches.is_empty() {
            return "It fits, but another booking is matched first.".to_owned();
        }
        let reasons = booking.mismatches.iter();
        let reasons: Vec<_> = reasons
            .map(|reason| self.reason(*reason, booking))
            .collect();
        reasons.join(" ")
    }

    fn reason(&self, mismatch: Mismatch, explained: &ExplainedBooking) -> String {
        match mismatch {
            Mismatch::Expired => "The booking has expired.".to_owned(),
            Mismatch::OtherCode if explained.booking.code.is_none() => {
                "The booking has no access code, so it fits only calls without one.".to_owned()
            }
            Mismatch::OtherCode => "The access code is not that of the booking.".to_owned(),
            Mismatch::OtherCaller => self.caller_reason(explained),
            Mismatch::ServiceEnded => {
                "The service of the booking has ended, or is not created yet.".to_owned()
            }
        }
    }

    fn caller_reason(&self, explained: &ExplainedBooking) -> String {
        let caller = self.caller.as_deref().unwrap_or_default();
        match explained.masked_caller() {
            _ if self.comparison == Some(MatchFailure::CallerNotComparable) => {
                format!("Caller {caller} is withheld or has no digits, so it equals no number.")
            }
            None => "The booking has no caller, so it fits only calls without one.".to_owned(),
            Some(masked) => {
                format!("Caller {caller} does not equal the caller of the booking ({masked}).")
            }
        }
    }
}
