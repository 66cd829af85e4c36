//! The entry that another operator saved while an operator edited it.

use super::{
    Admin, AdminError, Difference, differences::diff_options, entries::restore_secrets, table_label,
};
use crate::{
    model::EntryName,
    service::{
        catalog::parse_stored_options,
        options::{self, Options},
    },
};

/// An entry that changed while it was edited, compared with the edited options.
#[derive(Debug, Clone)]
pub struct EntryConflict {
    /// The stored revision; `None` if the entry was deleted.
    pub revision: Option<String>,
    /// User and time of the last change, if the audit log still has it.
    pub changed_by: Option<(String, String)>,
    /// The options that differ: `before` is stored, `after` is edited.
    pub differences: Vec<Difference>,
}

impl Admin {
    /// Compares an entry with edited options.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn entry_conflict(
        &self,
        name: &EntryName,
        edited: &Options,
    ) -> Result<EntryConflict, AdminError> {
        let stored = self.store.read_catalog().await?;
        let entry = stored.entries.get(name);
        let options = entry.and_then(|entry| parse_stored_options(&entry.text).ok());
        let options = options.unwrap_or_default();
        let edited = options::without_empty(edited.clone());
        // A secret that cannot be restored differs.
        let edited = restore_secrets(name, edited.clone(), Some(&options)).unwrap_or(edited);
        Ok(EntryConflict {
            revision: entry.map(|entry| entry.revision.clone()),
            changed_by: self.latest_change(table_label(name.0), &name.1).await?,
            differences: diff_options(name, &options, &edited),
        })
    }
}
