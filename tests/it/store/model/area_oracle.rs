//! The oracle of one storage area: what it may contain according to the responses.
//!
//! Each write sets a key of its own, so a key in a response shows which write it came from. A key of a storage area that
//! has certainly ended must never be read again, even if its custom id is in use again. Of concurrent changes the order
//! is unknown; after them nothing is certain until the next change that is alone. Of all changes with one `ETag` in
//! `If-Match` at most one succeeds.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use switchboard::model::Timestamp;

use crate::support::now;

/// The clock of the store is measured with this accuracy.
pub(super) const CLOCK_ERROR: Duration = Duration::from_millis(50);

/// The write that set a key.
pub(super) struct Write {
    /// Set if its response was a success.
    pub(super) answered: Option<Timestamp>,
    /// Whether its key is certainly a part of the present use of the id.
    pub(super) is_certain: bool,
    /// From then on, its key must not be read.
    pub(super) dead_since: Option<Timestamp>,
}

/// One id.
#[derive(Default)]
pub(super) struct Area {
    pub(super) writes: HashMap<String, Write>,
    /// The earliest and the latest end of the present use; `None` if the id is certainly unused.
    pub(super) ends: Option<(Timestamp, Timestamp)>,
    /// The number of changes in progress, and of all changes.
    pub(super) in_flight: usize,
    pub(super) changes: u64,
    /// The last known `ETag`, and the number of changes until then if it was certainly the current one.
    pub(super) tag: Option<(String, Option<u64>)>,
    /// The tags under whose condition something was changed.
    pub(super) used_tags: HashSet<String>,
    /// When a generated id was certainly unused.
    pub(super) ended_at: Option<Timestamp>,
}

/// A request in progress.
pub(super) struct Pending {
    pub(super) sent: Timestamp,
    /// Whether no change was in progress, and the number of changes, including this one.
    alone: bool,
    pub(super) changes: u64,
}

impl Area {
    pub(super) fn start(&mut self, is_change: bool) -> Pending {
        let sent = now();
        if let Some((_, latest)) = self.ends
            && self.in_flight == 0
            && latest < sent
        {
            self.end(latest, latest);
        }
        let alone = self.in_flight == 0;
        if is_change {
            self.in_flight += 1;
            self.changes += 1;
        }
        Pending {
            sent,
            alone,
            changes: self.changes,
        }
    }

    /// Records that no storage area existed at some time between `sent` and `answered`.
    pub(super) fn end(&mut self, sent: Timestamp, answered: Timestamp) {
        self.ends = None;
        self.ended_at.get_or_insert(answered);
        for write in self.writes.values_mut() {
            if write.answered.is_some_and(|at| at < sent) {
                write.dead_since.get_or_insert(answered);
            }
            write.is_certain = false;
        }
    }

    pub(super) fn was_alone(&self, pending: &Pending) -> bool {
        pending.alone && self.changes == pending.changes
    }

    /// Whether `tag` was certainly the current one when this change was made.
    pub(super) fn was_current(&self, pending: &Pending, tag: &str) -> bool {
        let last = self.tag.as_ref().filter(|(last, _)| last == tag);
        let is_next = last.is_some_and(|(_, changes)| *changes == Some(pending.changes - 1));
        is_next && self.was_alive(pending)
    }

    /// Records the tag in the response to a change.
    pub(super) fn record_tag(&mut self, pending: &Pending, tag: &str) {
        if !tag.is_empty() {
            let changes = self.was_alone(pending).then_some(self.changes);
            self.tag = Some((tag.to_owned(), changes));
        }
    }

    /// Whether it certainly existed during the request.
    pub(super) fn was_alive(&self, pending: &Pending) -> bool {
        self.was_alone(pending) && self.ends.is_some_and(|ends| ends.0 > now())
    }

    /// Records a new end, in this range.
    pub(super) fn set_end(&mut self, pending: &Pending, ends: (Timestamp, Timestamp)) {
        if !self.was_alone(pending) {
            let latest = self.ends.map_or(ends.1, |before| before.1.max(ends.1));
            self.ends = Some((Timestamp::from_millis(0), latest));
            return;
        }
        if self.ends.is_none_or(|before| before.0 < now()) {
            // It may have ended just before, and been created again.
            for write in self.writes.values_mut() {
                write.is_certain = false;
            }
        }
        self.ends = Some(ends);
    }
}

/// The earliest and the latest end after a write with this TTL, which was sent at `sent` and answered now.
pub(super) fn ends_after(sent: Timestamp, seconds: u64) -> (Timestamp, Timestamp) {
    let ttl = Duration::from_secs(seconds);
    let earliest = sent.after(ttl.saturating_sub(CLOCK_ERROR));
    (earliest, now().after(ttl + CLOCK_ERROR))
}
