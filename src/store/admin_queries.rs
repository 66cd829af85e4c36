//! What operators may look at beside what clients may: services by their end, and who holds which number.

use async_trait::async_trait;

use super::{BookingId, Clock, KeyName, PoolUsage, ServiceId, StoreError, Timestamp};

/// A place in a list that is ordered by end, and then by name: what comes behind it is the next page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last one of the page before ends.
    pub end: Timestamp,
    /// Its name.
    pub name: String,
}

/// A living service, in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedService {
    /// Its id.
    pub id: ServiceId,
    /// Name of the configured service it was made from.
    pub definition: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The `gms_user` header of the request that made it.
    pub gms_user: Option<String>,
}

/// A booking, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBooking {
    /// Its id.
    pub id: BookingId,
    /// The number.
    pub number: String,
    /// The service that it is held for.
    pub service: ServiceId,
    /// The subscriber who is expected to call.
    pub caller: Option<String>,
    /// Whether a code must be keyed in. The code itself is nobody's business.
    pub has_code: bool,
    /// When it runs out.
    pub until: Timestamp,
}

/// How a string of a service begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// All of it, or as much as was asked for.
    pub text: String,
    /// Bytes of all of it.
    pub bytes: usize,
}

impl Preview {
    /// Of a value of `bytes` in all, of which these are the first; what is cut within a character loses
    /// that character.
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

/// A page of a list, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub entries: Vec<T>,
    /// `None` where this is the last one.
    pub next: Option<Cursor>,
}

/// What operators may look at.
#[async_trait]
pub trait AdminQueries: Clock {
    /// How many services live, about: one that is being made or has just ended may count or not.
    async fn count_services(&self) -> Result<u64, StoreError>;

    /// Living services in the order of their ends, those behind `after` or from the first on; `most` are
    /// looked at, so a page may have fewer, for some may just have ended.
    async fn services_by_end(
        &self,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedService>, StoreError>;

    /// The numbers of each of these groups, in figures and in this order.
    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError>;

    /// Bookings of the group in the order in which they run out, as by [`AdminQueries::services_by_end`].
    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedBooking>, StoreError>;

    /// Bookings of a number of the group, by its subscriber; `most` at most, oldest first.
    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        most: usize,
    ) -> Result<Vec<ListedBooking>, StoreError>;

    /// One booking of the group.
    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError>;

    /// How each of these strings of a service begins, `most` bytes of it at most; in this order, `None` where
    /// a name holds none. However long they are, no more than that leaves the store.
    async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        most: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError>;

    /// Group and id of each booking that the service is noted to hold.
    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError>;
}
