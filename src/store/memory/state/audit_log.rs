//! The table of audit events.

use std::collections::VecDeque;

use crate::model::AuditEvent;

/// The events, newest first.
#[derive(Default)]
pub(in crate::store::memory) struct AuditLogTable {
    pub(in crate::store::memory) events: VecDeque<AuditEvent>,
    next_id: u64,
}

impl AuditLogTable {
    /// Appends an event and drops the oldest ones beyond `limit`.
    pub(in crate::store::memory) fn append(&mut self, event: &str, limit: usize) {
        self.events.push_front(AuditEvent {
            id: format!("{:016}", self.next_id),
            text: event.to_owned(),
        });
        self.next_id += 1;
        self.events.truncate(limit);
    }
}
