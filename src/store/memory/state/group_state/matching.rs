//! Matches of calls with the bookings of a group.

use super::{BookingRecord, GroupState};
use crate::model::{BookingId, Call, ComparedBooking, MatchCandidate, ServiceId, Timestamp};

impl BookingRecord {
    /// The values that a call is compared with.
    fn compared(&self, now: Timestamp) -> ComparedBooking<'_> {
        ComparedBooking {
            code: self.code.as_deref(),
            caller: self.caller.as_deref(),
            has_expired: self.until <= now,
        }
    }
}

impl GroupState {
    /// Returns the newest booking that matches a call and whose service is active. The service of a
    /// booking may not have been created yet.
    pub(in crate::store::memory) fn match_booking(
        &self,
        call: &Call,
        now: Timestamp,
        is_active: impl Fn(&ServiceId) -> bool,
    ) -> Option<BookingId> {
        let matches = |id: &&BookingId| {
            self.bookings.get(*id).is_some_and(|entry| {
                let mut mismatches =
                    call.mismatches(entry.compared(now), || is_active(&entry.service));
                mismatches.next().is_none()
            })
        };
        let dialed = call.dialed.iter();
        let numbers = dialed.filter_map(|number| self.by_number.get(number));
        let newest = numbers.filter_map(|bookings| bookings.iter().rev().find(matches));
        newest.max().cloned()
    }

    /// Returns the bookings of a number, newest first.
    pub(in crate::store::memory) fn match_candidates(
        &self,
        group: &str,
        subscriber: &str,
        now: Timestamp,
    ) -> impl Iterator<Item = MatchCandidate> {
        let newest = self.by_number.get(subscriber).into_iter().flatten().rev();
        newest.filter_map(move |id| {
            let entry = self.bookings.get(id)?;
            Some(MatchCandidate {
                id: id.clone(),
                group: group.to_owned(),
                number: entry.number.text.clone(),
                service: entry.service.clone(),
                code: entry.code.clone(),
                caller: entry.caller.clone(),
                until: entry.until,
                has_expired: entry.until <= now,
            })
        })
    }
}
