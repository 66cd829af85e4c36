//! The fields of `own:{id}`: the resources of a service outside of its hash.

use crate::model::{BackendSession, BlobId, BookingId};

/// Prefix of the field of a blob in `own:{id}`, before the blob id.
const OWNED_BLOB: &str = "blob:";
/// Prefix of the field of a booking in `own:{id}`, before the group and the booking id.
const OWNED_BOOKING: &str = "book:";
/// Prefix of the field of a session in `own:{id}`, before the definition, backend and session id, one
/// per line.
const OWNED_SESSION: &str = "sess:";
/// Prefix of the field of a subscription in `own:{id}`, before its code and the name of the configured service.
const OWNED_WEBHOOK: &str = "hook:";
/// Field of `own:{id}`: the service has a chat.
pub(in crate::store::redis) const OWNED_CHAT: &str = "chat";

/// A resource recorded in a field of `own:{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::redis) enum OwnedResource {
    /// A binary.
    Blob(BlobId),
    /// A booking in the group with this name.
    Booking(String, BookingId),
    /// A backend session.
    Session(BackendSession),
    /// Its chat.
    Chat,
    /// The subscription of its webhook, and so its outbox.
    Webhook,
}

impl OwnedResource {
    pub(in crate::store::redis) fn parse(field: &str) -> Option<Self> {
        if let Some(blob) = field.strip_prefix(OWNED_BLOB) {
            return Some(Self::Blob(BlobId::from(blob.to_owned())));
        }
        if field == OWNED_CHAT {
            return Some(Self::Chat);
        }
        if field.starts_with(OWNED_WEBHOOK) {
            return Some(Self::Webhook);
        }
        if let Some(session) = field.strip_prefix(OWNED_SESSION) {
            let mut lines = session.splitn(3, '\n').map(str::to_owned);
            return Some(Self::Session(BackendSession {
                definition: lines.next()?,
                backend: lines.next()?,
                name: lines.next()?,
            }));
        }
        let (group, booking) = field.strip_prefix(OWNED_BOOKING)?.rsplit_once(':')?;
        Some(Self::Booking(group.to_owned(), booking.to_owned().into()))
    }
}

/// The field of a booking in `own:{id}`.
pub(in crate::store::redis) fn owned_booking_field(group: &str, booking: &BookingId) -> String {
    owned_booking_prefix(group) + booking.as_str()
}

/// The beginning of the fields of bookings of a group in `own:{id}`.
pub(in crate::store::redis) fn owned_booking_prefix(group: &str) -> String {
    [OWNED_BOOKING, group, ":"].concat()
}

/// The field of a blob in `own:{id}`.
pub(in crate::store::redis) fn owned_blob_field(blob: &BlobId) -> String {
    [OWNED_BLOB, blob.as_str()].concat()
}

/// The field of a backend session in `own:{id}`.
pub(in crate::store::redis) fn owned_session_field(session: &BackendSession) -> String {
    let BackendSession {
        definition,
        backend,
        name,
    } = session;
    [OWNED_SESSION, definition, "\n", backend, "\n", name].concat()
}

/// The field of the subscription of a webhook in `own:{id}`; `code` is that of `_hook`.
pub(in crate::store::redis) fn owned_webhook_field(code: &str, definition: &str) -> String {
    [OWNED_WEBHOOK, code, ":", definition].concat()
}
