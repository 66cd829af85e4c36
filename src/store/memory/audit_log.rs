//! The audit log of the embedded store.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{AuditEvent, StoreError},
    store::AuditLog,
};

/// The events, newest first.
#[derive(Default)]
pub(super) struct AuditLogTable {
    events: VecDeque<AuditEvent>,
    next_id: u64,
}

impl AuditLogTable {
    /// Appends an event and drops the oldest ones beyond `limit`.
    pub(super) fn append(&mut self, event: &str, limit: usize) {
        self.events.push_front(AuditEvent {
            id: format!("{:016}", self.next_id),
            text: event.to_owned(),
        });
        self.next_id += 1;
        self.events.truncate(limit);
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn append_audit_event(&self, event: &str, limit: usize) -> Result<(), StoreError> {
        self.state().audit_log.append(event, limit);
        Ok(())
    }

    async fn audit_events(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let state = self.state();
        let events = state.audit_log.events.iter();
        let events = events.filter(|event| before.is_none_or(|before| *event.id < *before));
        Ok(events.take(limit).cloned().collect())
    }
}
