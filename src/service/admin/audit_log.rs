//! The audit log: changes by operators.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use super::{Actor, Admin, AdminError};
use crate::{
    model::{ServiceId, StoreError, Timestamp},
    service::options::{self, OptionValue, Options, REDACTED},
    store::AuditLogStore,
};

/// Maximum size in bytes of a state in an event. Longer states are truncated.
const MAX_STATE_BYTES: usize = 16 * 1024;

/// The kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::service) enum AuditAction {
    Create,
    Replace,
    Delete,
    /// An entry that the store lost was restored.
    Restore,
    /// The expiration time of a service was changed.
    SetExpiration,
    /// A number was released.
    Release,
    /// The node status of a replica was set.
    SetStatus,
    /// An agent joined a chat.
    Join,
    /// An agent left a chat.
    Leave,
    /// An agent ended a chat.
    End,
    /// Dead letters of a webhook were sent again.
    Resend,
    /// A stopped webhook was resumed.
    Resume,
    /// A test event was sent to a webhook.
    Test,
}

/// A change by an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::service) struct AuditRecord {
    /// The time, in ISO 8601.
    time: String,
    /// The user name.
    actor: String,
    /// The client address.
    client_address: Option<String>,
    /// The kind of change.
    action: AuditAction,
    /// The kind of the changed object.
    kind: String,
    /// The name of the changed object.
    name: String,
    /// The states before and after the change. Secrets are redacted.
    pub(super) before: Option<Value>,
    /// See [`AuditRecord::before`].
    pub(super) after: Option<Value>,
    /// The name in the log of this process if `name` is the id of a service, which grants access to its data.
    #[serde(skip)]
    redacted_name: Option<String>,
}

/// A page of the audit log, newest first.
#[derive(Debug, Default)]
pub struct AuditLogPage {
    /// The events.
    pub events: Vec<Value>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl AuditRecord {
    pub(in crate::service) fn new(
        by: &Actor,
        at: Timestamp,
        action: AuditAction,
        kind: &str,
        name: &str,
    ) -> Self {
        Self {
            time: at.to_string(),
            actor: by.name.clone(),
            client_address: by.address.map(|address| address.to_string()),
            action,
            kind: kind.to_owned(),
            name: name.to_owned(),
            before: None,
            after: None,
            redacted_name: None,
        }
    }

    /// A change of a running service, or of its chat.
    pub(in crate::service) fn of_service(
        by: &Actor,
        at: Timestamp,
        action: AuditAction,
        kind: &str,
        id: &ServiceId,
    ) -> Self {
        Self {
            redacted_name: Some(id.redacted().to_string()),
            ..Self::new(by, at, action, kind, id.as_str())
        }
    }

    /// Sets the options of an entry before and after the change.
    pub(super) fn with_states(self, before: Option<&Options>, after: Option<&Options>) -> Self {
        let mut redacted = after.map(options::redact);
        if let (Some(before), Some(after), Some(redacted)) = (before, after, &mut redacted) {
            for (option, value) in redacted.iter_mut().filter(|(_, value)| is_redacted(value)) {
                if before.get(option) != after.get(option) {
                    *value = OptionValue::Text(format!("{REDACTED} (changed)"));
                }
            }
        }
        let before = before.map(|before| truncate_state(&options::redact(before)));
        Self {
            before,
            after: redacted.map(|after| truncate_state(&after)),
            ..self
        }
    }

    /// Writes the event, of which the audit log has at most about `max_entries`.
    pub(in crate::service) async fn append_to(
        &self,
        store: &dyn AuditLogStore,
        max_entries: usize,
    ) -> Result<(), StoreError> {
        let Self {
            actor,
            action,
            kind,
            name,
            redacted_name,
            ..
        } = self;
        let name = redacted_name.as_ref().unwrap_or(name);
        info!(actor, ?action, kind, name, "operator change");
        store.append_audit_event(&self.to_json(), max_entries).await
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn is_redacted(value: &OptionValue) -> bool {
    value.text() == Some(REDACTED)
}

/// The options as JSON, truncated to [`MAX_STATE_BYTES`].
fn truncate_state(options: &Options) -> Value {
    let text = serde_json::to_string(options).unwrap_or_default();
    if text.len() <= MAX_STATE_BYTES {
        return serde_json::to_value(options).unwrap_or_default();
    }
    let mut end = MAX_STATE_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    serde_json::json!({"_truncated": text.get(..end), "_bytes": text.len()})
}

impl Admin {
    /// At most `limit` events before the cursor `before`, newest first.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn audit_events(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<AuditLogPage, AdminError> {
        let events = self.store.audit_events(before, limit).await?;
        let next = events.last().filter(|_| events.len() == limit);
        let next = next.map(|event| event.id.clone());
        let values = events.iter().map(|event| {
            // An event of a later version is returned as text.
            serde_json::from_str(&event.text).unwrap_or_else(|_| Value::from(event.text.as_str()))
        });
        let events = values.collect();
        Ok(AuditLogPage { events, next })
    }

    /// Writes an event, before its change is made.
    pub(super) async fn append_audit_event(&self, event: &AuditRecord) -> Result<(), AdminError> {
        let max_entries = self.context.settings.audit_log_entries;
        Ok(event.append_to(&*self.store, max_entries).await?)
    }
}
