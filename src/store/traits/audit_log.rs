//! The log of changes by operators.

use async_trait::async_trait;

use crate::model::{AuditEvent, StoreError};
use crate::store::Clock;

/// The store of the audit log.
#[async_trait]
pub trait AuditLogStore: Clock {
    /// Appends an event; the log retains about `limit` events.
    async fn append_audit_event(&self, event: &str, limit: usize) -> Result<(), StoreError>;

    /// Returns at most `limit` events, newest first: those before the event `before`, or the newest.
    async fn audit_events(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AuditEvent>, StoreError>;
}
