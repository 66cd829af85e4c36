//! The rules by which a booking fits a call, and which of the bookings that fit is matched.
//!
//! The embedded store matches calls by [`Call::mismatches`]; the explanation of a match applies both functions to the
//! bookings of either store. `scripts/match_booking.lua` has the same rules for matches in Redis.

use std::collections::BTreeMap;

use super::{BookingId, Call, ServiceId, Timestamp};

/// The values of a booking that a call is compared with.
#[derive(Debug, Clone, Copy)]
pub struct ComparedBooking<'a> {
    /// The code to enter.
    pub code: Option<&'a str>,
    /// The subscriber that is expected to call.
    pub caller: Option<&'a str>,
    /// Whether the booking has expired.
    pub has_expired: bool,
}

/// A reason for which a booking of the dialed number does not fit a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mismatch {
    /// The booking has expired.
    Expired,
    /// The booking has another code, or none.
    OtherCode,
    /// The booking has another caller, or none.
    OtherCaller,
    /// The service has ended, or is not created yet.
    ServiceEnded,
}

impl Mismatch {
    /// All reasons, in the order in which they are checked.
    pub const ALL: [Self; 4] = [
        Self::Expired,
        Self::OtherCode,
        Self::OtherCaller,
        Self::ServiceEnded,
    ];

    /// The name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::OtherCode => "other_code",
            Self::OtherCaller => "other_caller",
            Self::ServiceEnded => "service_ended",
        }
    }
}

impl Call {
    /// Returns the reasons for which a booking of the dialed number does not fit; none if it fits.
    pub fn mismatches<'a>(
        &'a self,
        booking: ComparedBooking<'a>,
        is_service_active: impl Fn() -> bool + 'a,
    ) -> impl Iterator<Item = Mismatch> + 'a {
        let applies = move |mismatch: &Mismatch| match mismatch {
            Mismatch::Expired => booking.has_expired,
            Mismatch::OtherCode => {
                let code = self.code.as_deref();
                code.is_some() && booking.code != code
            }
            Mismatch::OtherCaller => !self.callers.is_empty() && self.caller_of(booking).is_none(),
            Mismatch::ServiceEnded => !is_service_active(),
        };
        Mismatch::ALL.into_iter().filter(applies)
    }

    /// The position of the caller of a booking among those of the call.
    fn caller_of(&self, booking: ComparedBooking<'_>) -> Option<usize> {
        let caller = booking.caller?;
        self.callers.iter().position(|known| known == caller)
    }
}

/// A booking of a dialed number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchCandidate {
    /// The id.
    pub id: BookingId,
    /// The group of the number.
    pub group: String,
    /// The number as it is configured.
    pub number: String,
    /// The service that it is booked for.
    pub service: ServiceId,
    /// The code to enter.
    pub code: Option<String>,
    /// The subscriber that is expected to call.
    pub caller: Option<String>,
    /// The expiration time.
    pub until: Timestamp,
    /// Whether it has expired, by the clock that decides about matches in its group.
    pub has_expired: bool,
}

impl MatchCandidate {
    /// The values that a call is compared with.
    #[must_use]
    pub fn compared(&self) -> ComparedBooking<'_> {
        ComparedBooking {
            code: self.code.as_deref(),
            caller: self.caller.as_deref(),
            has_expired: self.has_expired,
        }
    }
}

/// The bookings of the dialed numbers in a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MatchCandidates {
    /// The newest bookings of each number, newest first.
    pub bookings: Vec<MatchCandidate>,
    /// Whether these are all bookings of the numbers.
    pub is_complete: bool,
    /// The regions that booked numbers of the group were parsed with.
    pub regions: Vec<String>,
}

/// Returns the booking that a match in the groups of these candidates takes: the newest one that fits; in each group one
/// of the first caller that has a booking. If its service has ended, only older bookings remain.
pub fn newest_match<'a>(
    call: &Call,
    candidates: &'a [MatchCandidate],
    is_service_active: impl Fn(&ServiceId) -> bool,
) -> Option<&'a MatchCandidate> {
    let mut before: Option<&BookingId> = None;
    loop {
        let mut newest_of_groups: BTreeMap<&str, (usize, &MatchCandidate)> = BTreeMap::new();
        for candidate in candidates {
            let is_older = before.is_none_or(|before| candidate.id < *before);
            let compared = candidate.compared();
            if !is_older || call.mismatches(compared, || true).next().is_some() {
                continue;
            }
            let caller = call.caller_of(compared).unwrap_or_default();
            let entry = newest_of_groups.entry(&candidate.group);
            let (best_caller, best) = entry.or_insert((caller, candidate));
            if caller < *best_caller || (caller == *best_caller && candidate.id > best.id) {
                (*best_caller, *best) = (caller, candidate);
            }
        }
        let found = newest_of_groups.into_values().map(|(_, found)| found);
        let found = found.max_by(|a, b| a.id.cmp(&b.id))?;
        if is_service_active(&found.service) {
            return Some(found);
        }
        before = Some(&found.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(
        id: &str,
        group: &str,
        caller: Option<&str>,
        code: Option<&str>,
    ) -> MatchCandidate {
        MatchCandidate {
            id: BookingId::from(id.to_owned()),
            group: group.to_owned(),
            number: "8005550001".to_owned(),
            service: ServiceId::from(format!("service-{id}")),
            code: code.map(str::to_owned),
            caller: caller.map(str::to_owned),
            until: Timestamp::default(),
            has_expired: false,
        }
    }

    fn call(callers: &[&str], code: Option<&str>) -> Call {
        Call {
            dialed: vec!["+18005550001".to_owned()],
            code: code.map(str::to_owned),
            callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
            regions: vec!["US".to_owned()],
        }
    }

    fn matched(call: &Call, candidates: &[MatchCandidate], ended: &[&str]) -> Option<String> {
        let is_active = |id: &ServiceId| !ended.contains(&id.as_str());
        newest_match(call, candidates, is_active).map(|found| found.id.as_str().to_owned())
    }

    #[test]
    fn every_reason_is_returned_in_order() {
        let mut booking = candidate("1", "a", Some("+1"), Some("12"));
        booking.has_expired = true;
        let call = call(&["+2"], Some("34"));
        let reasons: Vec<_> = call.mismatches(booking.compared(), || false).collect();
        assert_eq!(reasons, Mismatch::ALL);
        booking.has_expired = false;
        let reasons: Vec<_> = call.mismatches(booking.compared(), || true).collect();
        assert_eq!(reasons, [Mismatch::OtherCode, Mismatch::OtherCaller]);
    }

    #[test]
    fn a_call_without_code_and_caller_fits_any_booking_and_the_other_way_round_none() {
        let any = call(&[], None);
        let booking = candidate("1", "a", Some("+1"), Some("12"));
        assert_eq!(any.mismatches(booking.compared(), || true).next(), None);
        let plain = candidate("1", "a", None, None);
        let full = call(&["+1"], Some("12"));
        let reasons: Vec<_> = full.mismatches(plain.compared(), || true).collect();
        assert_eq!(reasons, [Mismatch::OtherCode, Mismatch::OtherCaller]);
    }

    #[test]
    fn the_newest_booking_that_fits_is_matched() {
        let all = [
            candidate("3", "a", Some("+1"), None),
            candidate("2", "b", Some("+2"), None),
            candidate("1", "a", Some("+2"), None),
        ];
        assert_eq!(matched(&call(&[], None), &all, &[]).unwrap(), "3");
        assert_eq!(matched(&call(&["+2"], None), &all, &[]).unwrap(), "2");
        assert_eq!(
            matched(&call(&["+2"], None), &all, &["service-2"]).unwrap(),
            "1"
        );
        let ended = ["service-1", "service-2", "service-3"];
        assert_eq!(matched(&call(&[], None), &all, &ended), None);
    }

    #[test]
    fn in_a_group_the_first_caller_that_has_a_booking_is_used() {
        let all = [
            candidate("4", "a", Some("+2"), None),
            candidate("3", "a", Some("+1"), None),
        ];
        assert_eq!(matched(&call(&["+1", "+2"], None), &all, &[]).unwrap(), "3");
        let mut both = all.to_vec();
        both.push(candidate("5", "b", Some("+2"), None));
        assert_eq!(
            matched(&call(&["+1", "+2"], None), &both, &[]).unwrap(),
            "5"
        );
    }
}
