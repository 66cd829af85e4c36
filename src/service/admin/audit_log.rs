//! The audit log: changes by operators.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::info;

use super::{Actor, Admin, AdminError, service_search::MAX_SEARCHED, table_label};
use crate::{
    model::{ServiceId, StoreError, Table, Timestamp},
    service::options::{self, OptionValue, Options, REDACTED},
    store::AuditLogStore,
};

/// Maximum size in bytes of a state in an event. Longer states are truncated.
const MAX_STATE_BYTES: usize = 16 * 1024;

/// Number of events that a search reads at a time.
const SEARCH_BATCH: usize = 500;

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
    /// A number was quarantined.
    Quarantine,
    /// The quarantine of a number was ended.
    EndQuarantine,
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

/// The events that a search returns. An empty filter matches all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// A part of the kind or the name of the target, ignoring case.
    pub target: Option<String>,
    /// A part of the user name, ignoring case.
    pub actor: Option<String>,
    /// The action.
    pub action: Option<String>,
}

impl AuditFilter {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn matches(&self, event: &Value) -> bool {
        let text = |member: &str| event[member].as_str().unwrap_or_default().to_lowercase();
        let contains = |text: &str, part: &Option<String>| {
            let part = part.as_deref().unwrap_or_default();
            text.contains(&part.to_lowercase())
        };
        let target = [text("kind"), text("name")].join(" ");
        let action = self.action.as_deref();
        contains(&target, &self.target)
            && contains(&text("actor"), &self.actor)
            && action.is_none_or(|action| text("action") == action)
    }
}

/// The event in a stored text, if it matches. An event of a later version is returned as text.
fn parse_matching(text: &str, filter: &AuditFilter) -> Option<Value> {
    let event = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    Some(event).filter(|event| filter.is_empty() || filter.matches(event))
}

/// A page of the audit log, newest first.
#[derive(Debug, Default)]
pub struct AuditLogPage {
    /// The events.
    pub events: Vec<Value>,
    /// The number of events that were read.
    pub searched: usize,
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
        let redacted = match (before, after) {
            (Some(before), Some(after)) => Some(redact_changed(before, after)),
            _ => after.map(options::redact),
        };
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

/// The options `after` a change with secrets redacted; those with another value `before` it are marked.
pub(super) fn redact_changed(before: &Options, after: &Options) -> Options {
    let mut redacted = options::redact(after);
    let secrets = redacted.iter_mut();
    for (option, value) in secrets.filter(|(_, value)| value.text() == Some(REDACTED)) {
        if before.contains_key(option) && before.get(option) != after.get(option) {
            *value = OptionValue::Text(format!("{REDACTED} (changed)"));
        }
    }
    redacted
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
    /// At most `limit` events that match the filter, before the cursor `before`, newest first. It reads at most
    /// [`MAX_SEARCHED`] events.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn audit_events(
        &self,
        filter: &AuditFilter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<AuditLogPage, AdminError> {
        let batch = if filter.is_empty() {
            limit
        } else {
            SEARCH_BATCH
        };
        let mut page = AuditLogPage::default();
        let mut before = before.map(str::to_owned);
        loop {
            let events = self.store.audit_events(before.as_deref(), batch).await?;
            let is_end = events.len() < batch;
            for event in events {
                page.searched += 1;
                page.events.extend(parse_matching(&event.text, filter));
                before = Some(event.id);
                if page.events.len() >= limit {
                    break;
                }
            }
            let is_full = page.events.len() >= limit;
            if is_full || is_end || page.searched >= MAX_SEARCHED {
                page.next = before.filter(|_| is_full || !is_end);
                return Ok(page);
            }
        }
    }

    /// The user and the time of the latest change of an object, if it is among the latest [`SEARCH_BATCH`] events.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub(super) async fn latest_change(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<(String, String)>, AdminError> {
        self.latest_matching(|record| record.kind == kind && record.name == name)
            .await
    }

    /// The user and the time of the latest change of the catalog.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn latest_catalog_change(&self) -> Result<Option<(String, String)>, AdminError> {
        let kinds = [Table::Services, Table::Resources].map(table_label);
        let is_entry = |record: &AuditRecord| kinds.contains(&record.kind.as_str());
        self.latest_matching(is_entry).await
    }

    async fn latest_matching(
        &self,
        is_wanted: impl Fn(&AuditRecord) -> bool,
    ) -> Result<Option<(String, String)>, AdminError> {
        let events = self.store.audit_events(None, SEARCH_BATCH).await?;
        let records = events
            .iter()
            .filter_map(|event| serde_json::from_str::<AuditRecord>(&event.text).ok());
        let mut changes = records.filter(is_wanted);
        Ok(changes.next().map(|record| (record.actor, record.time)))
    }

    /// Writes an event, before its change is made.
    pub(super) async fn append_audit_event(&self, event: &AuditRecord) -> Result<(), AdminError> {
        let max_entries = self.context.settings.audit_log_entries;
        Ok(event.append_to(&*self.store, max_entries).await?)
    }
}
