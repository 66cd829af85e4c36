//! Bookings in the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::AllocationResult};
use crate::{
    model::{
        BookResult, Booking, BookingOwner, BookingRequest, Call, Group, MatchResult, ServiceId,
        StoreError,
    },
    store::BookingStore,
};

#[async_trait]
impl BookingStore for MemoryStore {
    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let max_until = now.after(request.timeout);
        let until = match owner {
            BookingOwner::New(_) => max_until,
            BookingOwner::NewRepeatable(id, _) => match state.service(id) {
                Some(record) => {
                    let stored = record.response.clone();
                    return Ok(stored.map_or(BookResult::ServiceNotFound, BookResult::Replayed));
                }
                None => max_until,
            },
            BookingOwner::Existing(id) => match state.service(id) {
                Some(record) => max_until.min(record.end),
                None => return Ok(BookResult::ServiceNotFound),
            },
        };
        let id = owner.id();
        let result = state
            .group_bookings(group)
            .book_number(group, request, owner, until, now);
        state.add_number_events(&group.name);
        match result {
            AllocationResult::Exhausted(wait) => Ok(BookResult::Exhausted(wait)),
            AllocationResult::Allocated(booking) => {
                state.record_booking(id, &booking);
                Ok(BookResult::Booked(booking))
            }
        }
    }

    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.service(id).is_none() {
            state.release_number(id, &booking.group, &booking.id);
        }
        Ok(())
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<bool, StoreError> {
        let mut state = self.state();
        Ok(state.release_number(id, &booking.group, &booking.id))
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        // All numbers are parsed with the same region: the default region of a process never changes.
        let found = self.state().match_call(groups, call);
        Ok(found.map_or(
            MatchResult::NoMatch { has_expired: false },
            MatchResult::Matched,
        ))
    }
}
