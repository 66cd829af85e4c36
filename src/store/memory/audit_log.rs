//! The audit log of the embedded store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{AuditEvent, StoreError},
    store::AuditLogStore,
};

#[async_trait]
impl AuditLogStore for MemoryStore {
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
