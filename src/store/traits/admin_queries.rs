//! Queries of the admin API: bookings, and previews of services.

use async_trait::async_trait;

use crate::model::{
    AccessNumber, BookingId, KeyName, ListRange, ListedBooking, NumberState, Page, PoolUsage,
    Preview, ServiceId, StoreError, Timestamp,
};
use crate::store::Clock;

/// The store's queries for operators.
#[async_trait]
pub trait AdminQueries: Clock {
    /// Returns the size and free numbers of each of these groups, in this order.
    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError>;

    /// Returns when a booking last found no free number in each of these groups, in this order. `None` if that was not in
    /// the last week.
    async fn exhausted_at(&self, groups: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError>;

    /// Returns the number of bookings of these groups. It includes expired ones that are not released yet.
    async fn count_bookings(&self, groups: &[&str]) -> Result<u64, StoreError>;

    /// Returns the number of bookings of each of these groups, in this order, that have expired and are not released yet.
    async fn count_expired_bookings(&self, groups: &[&str]) -> Result<Vec<u64>, StoreError>;

    /// Lists bookings of the groups by expiration time, each with its group. It reads `limit` entries; the
    /// page has fewer if some of them have just ended.
    async fn bookings_by_end(
        &self,
        groups: &[&str],
        range: &ListRange,
        limit: usize,
    ) -> Result<Page<(String, ListedBooking)>, StoreError>;

    /// Lists the bookings of a number, given its subscriber: group by group in this order, in each oldest first; at most
    /// `limit`.
    async fn bookings_of_number(
        &self,
        groups: &[&str],
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(String, ListedBooking)>, StoreError>;

    /// Returns the states of these numbers of a group, in this order. They are read in batches, not atomically: three
    /// pipelines for each batch. A number that the store does not have yet is free.
    async fn number_states(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<NumberState>, StoreError>;

    /// Returns one booking of the group.
    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError>;

    /// Returns at most the first `limit` bytes of each of these strings of a service, in this order;
    /// `None` if a key has no string. The rest of the strings is not transferred.
    async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        limit: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError>;

    /// Returns the group and id of each recorded booking of the service.
    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError>;
}
