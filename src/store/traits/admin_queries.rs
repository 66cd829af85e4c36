//! Queries of the admin API: services by expiration time, and bookings.

use async_trait::async_trait;

use crate::model::{
    BookingId, Cursor, KeyName, ListedBooking, ListedService, Page, PoolUsage, Preview, ServiceId,
    StoreError,
};
use crate::store::Clock;

/// The store's queries for operators.
#[async_trait]
pub trait AdminQueries: Clock {
    /// Returns the approximate number of active services: services that are being created or have just
    /// ended may be included.
    async fn count_services(&self) -> Result<u64, StoreError>;

    /// Lists active services in the order of their expiration, after the cursor `after` or from the
    /// first on. It reads `limit` entries; the page has fewer if some of them have just ended.
    async fn services_by_end(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedService>, StoreError>;

    /// Returns the size and free numbers of each of these groups, in this order.
    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError>;

    /// Lists bookings of the group in the order of their expiration; see
    /// [`AdminQueries::services_by_end`].
    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedBooking>, StoreError>;

    /// Lists at most `limit` bookings of a number of the group, given its subscriber, oldest first.
    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<ListedBooking>, StoreError>;

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
