//! The change of one entry of the catalog.

use super::{
    Actor,
    audit_log::{AuditAction, AuditRecord},
    table_label,
};
use crate::{
    model::{EntryName, Timestamp},
    service::options::Options,
};

/// The change of one entry.
pub(super) struct EntryChange {
    pub(super) name: EntryName,
    pub(super) before: Option<Options>,
    /// `None` deletes it.
    pub(super) after: Option<Options>,
    /// Whether the entry was lost by the store.
    pub(super) is_restored: bool,
}

impl EntryChange {
    pub(super) fn put(name: EntryName, before: Option<Options>, after: Options) -> Self {
        Self {
            name,
            before,
            after: Some(after),
            is_restored: false,
        }
    }

    /// Like [`EntryChange::put`], for an entry that the store lost.
    pub(super) fn restore(name: EntryName, before: Option<Options>, after: Options) -> Self {
        Self {
            is_restored: true,
            ..Self::put(name, before, after)
        }
    }

    pub(super) fn delete(name: EntryName, before: Option<Options>) -> Self {
        Self {
            name,
            before,
            after: None,
            is_restored: false,
        }
    }

    pub(super) fn event(&self, by: &Actor, at: Timestamp) -> AuditRecord {
        let action = match (&self.before, &self.after) {
            (_, None) => AuditAction::Delete,
            (_, Some(_)) if self.is_restored => AuditAction::Restore,
            (None, Some(_)) => AuditAction::Create,
            (Some(_), Some(_)) => AuditAction::Replace,
        };
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let event = AuditRecord::new(by, at, action, table_label(self.name.0), &self.name.1);
        event.with_states(before, after)
    }
}

/// The kind and name of an entry, for messages.
pub(super) fn entry_label((table, name): &EntryName) -> String {
    format!("{} {name:?}", table_label(*table))
}
