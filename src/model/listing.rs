//! The entries of lists for operators, and pagination.

use super::{BookingId, ServiceId, StatusRequest, Timestamp};

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

/// The state of a number of a group, as operators see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberState {
    /// The latest booking of the number, if there is one.
    pub booking: Option<ListedBooking>,
    /// The number of its bookings, at most [`NumberState::MAX_COUNTED`].
    pub bookings: usize,
    /// The time of the last allocation or release, if it is known. Releases during a quarantine are not recorded.
    pub last_used: Option<Timestamp>,
    /// Its quarantine, if there is one.
    pub quarantine: Option<Quarantine>,
}

/// The quarantine of a number: an operator has excluded it from bookings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// The time of its start.
    pub since: Timestamp,
    /// The user name of the operator.
    pub by: String,
}

/// A quarantined number of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedNumber {
    /// The number as it is configured.
    pub number: String,
    /// Its quarantine.
    pub quarantine: Quarantine,
}

impl NumberState {
    /// The maximum number of bookings that are counted.
    pub const MAX_COUNTED: usize = 10;
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
    #[must_use]
    pub fn from_bytes(mut first: Vec<u8>, bytes: usize) -> Self {
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

/// A running replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedReplica {
    /// Its last heartbeat as opaque text.
    pub heartbeat: String,
    /// The last status that was requested for it, if that was within the last minute.
    pub request: Option<StatusRequest>,
}

/// An event of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Identifies the event; ids increase with time.
    pub id: String,
    /// The event as opaque text.
    pub text: String,
}
