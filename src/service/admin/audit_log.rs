//! What operators did.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use super::{Actor, Admin, AdminError};
use crate::{
    service::options::{self, OptionValue, Options, REDACTED},
    store::Timestamp,
};

/// Bytes that an event tells of a state; a longer one is cut.
const MAX_STATE_BYTES: usize = 16 * 1024;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuditAction {
    Create,
    Replace,
    Delete,
    /// An entry that the store had lost was made again.
    Restore,
    /// The end of a service was moved.
    SetExpiration,
    /// A number was given back by hand.
    Release,
}

/// Something that an operator did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AuditRecord {
    /// When, in ISO 8601.
    time: String,
    /// The user name shown.
    actor: String,
    /// Where the request came from.
    client_address: Option<String>,
    /// What was done.
    action: AuditAction,
    /// To what kind of thing.
    kind: String,
    /// To which.
    name: String,
    /// What it was before, and what it is afterwards; secrets are hidden.
    pub(super) before: Option<Value>,
    /// See [`AuditRecord::before`].
    pub(super) after: Option<Value>,
}

/// Some of the history, newest first.
#[derive(Debug, Default)]
pub struct AuditLogPage {
    /// What was done.
    pub events: Vec<Value>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl AuditRecord {
    pub(super) fn new(
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
        }
    }

    /// The same with what an entry said before, and says afterwards.
    pub(super) fn with_states(self, before: Option<&Options>, after: Option<&Options>) -> Self {
        let mut told = after.map(options::redact);
        if let (Some(before), Some(after), Some(told)) = (before, after, &mut told) {
            for (option, value) in told.iter_mut().filter(|(_, value)| is_redacted(value)) {
                if before.get(option) != after.get(option) {
                    *value = OptionValue::Text(format!("{REDACTED} (changed)"));
                }
            }
        }
        let before = before.map(|before| truncate_state(&options::redact(before)));
        Self {
            before,
            after: told.map(|after| truncate_state(&after)),
            ..self
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn is_redacted(value: &OptionValue) -> bool {
    value.text() == Some(REDACTED)
}

/// The state of an entry, no longer than a history can keep of each.
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
    /// The history before `before`, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn audit_events(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<AuditLogPage, AdminError> {
        let events = self.store.audit_events(before, most).await?;
        let next = events.last().filter(|_| events.len() == most);
        let next = next.map(|event| event.id.clone());
        let told = events.iter().map(|event| {
            // One of a later version of this program is told as it is.
            serde_json::from_str(&event.text).unwrap_or_else(|_| Value::from(event.text.as_str()))
        });
        let events = told.collect();
        Ok(AuditLogPage { events, next })
    }

    /// Notes what is about to be done.
    pub(super) async fn append_audit_event(&self, event: &AuditRecord) -> Result<(), AdminError> {
        let AuditRecord {
            actor,
            action,
            kind,
            name,
            ..
        } = event;
        info!(actor, ?action, kind, name, "an operator");
        let most = self.context.settings.audit_log_entries;
        Ok(self
            .store
            .append_audit_event(&event.to_json(), most)
            .await?)
    }
}
