//! The expiry queue: everything that expires, ordered by time.

use std::collections::BTreeMap;

use crate::model::{BlobId, IdempotencyKey, ServiceId, Timestamp};

/// The key of an entry: the time, and a number that makes the key unique.
pub(in crate::store::memory) type ExpiryKey = (Timestamp, u64);

/// The subject of an entry.
pub(super) enum Expiry {
    Service(ServiceId),
    Blob(BlobId),
    Claim(IdempotencyKey),
}

/// The queue. An entry is removed when its subject is rescheduled or ends early.
#[derive(Default)]
pub(super) struct ExpiryQueue {
    entries: BTreeMap<ExpiryKey, Expiry>,
    next: u64,
}

impl ExpiryQueue {
    /// Adds an entry and returns its key.
    pub(super) fn schedule(&mut self, at: Timestamp, expiry: Expiry) -> ExpiryKey {
        let key = (at, self.next);
        self.next += 1;
        self.entries.insert(key, expiry);
        key
    }

    /// Removes an entry, if there is one.
    pub(super) fn cancel(&mut self, key: Option<ExpiryKey>) {
        if let Some(key) = key {
            self.entries.remove(&key);
        }
    }

    /// Removes and returns the first entry that expires at or before `now`.
    pub(super) fn pop_expired(&mut self, now: Timestamp) -> Option<Expiry> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
