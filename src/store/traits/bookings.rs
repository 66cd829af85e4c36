//! Access numbers: bookings and matches.

use async_trait::async_trait;

use crate::model::{
    BookResult, Booking, BookingOwner, BookingRequest, Call, Group, MatchResult, ServiceId,
    StoreError,
};

/// The store of bookings.
#[async_trait]
pub trait BookingStore: Send + Sync {
    /// Books a number of `group` for a service. For [`BookingOwner::New`] the caller then creates the
    /// service with the booking in its [`NewService`](crate::model::NewService), or
    /// [releases](BookingStore::release_number) the booking.
    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError>;

    /// Releases the booking of a create that made no service, unless the service of a concurrent create
    /// with the same [`IdempotencyKey`](crate::model::IdempotencyKey) has it.
    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError>;

    /// Releases a booking. Returns whether it existed.
    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<bool, StoreError>;

    /// Finds the active service of a call by its newest matching booking in any of `groups`, and
    /// releases the number. If several calls match one booking, only one of them gets it.
    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError>;
}
