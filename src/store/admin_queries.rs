//! Queries of the admin API: services by expiration time, and bookings.

use async_trait::async_trait;

use super::{BookingId, Clock, KeyName, PoolUsage, ServiceId, StoreError, Timestamp};

/// A position in a list that is ordered by expiration time and name. The next page begins after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The expiration time of the last entry of the page.
    pub end: Timestamp,
    /// The name of that entry.
    pub name: String,
}

/// An active service in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedService {
    /// The id.
    pub id: ServiceId,
    /// The name of its configured service.
    pub definition: String,
    /// The creation time.
    pub created: Timestamp,
    /// The expiration time.
    pub end: Timestamp,
    /// The `gms_user` header of the create request.
    pub gms_user: Option<String>,
}

/// A booking, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBooking {
    /// The id.
    pub id: BookingId,
    /// The number.
    pub number: String,
    /// The service that it is booked for.
    pub service: ServiceId,
    /// The subscriber that is expected to call.
    pub caller: Option<String>,
    /// Whether the caller must enter a code. The code itself is not exposed.
    pub has_code: bool,
    /// The expiration time.
    pub until: Timestamp,
}

/// The beginning of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The complete string, or as much of it as the limit permits.
    pub text: String,
    /// The size of the complete string in bytes.
    pub bytes: usize,
}

impl Preview {
    /// Creates a preview from the first bytes of a value of `bytes` bytes. A character that is cut off
    /// at the end is removed.
    pub(super) fn from_bytes(mut first: Vec<u8>, bytes: usize) -> Self {
        let end = match std::str::from_utf8(&first) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        first.truncate(end);
        Self {
            text: String::from_utf8(first).unwrap_or_default(),
            bytes,
        }
    }
}

/// A page of a list, and the position of the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

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
