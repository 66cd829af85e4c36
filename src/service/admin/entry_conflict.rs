//! The entry that another operator saved while an operator edited it.

use super::{
    Admin, AdminError, Difference, entries::restore_secrets, import_export::diff_options,
    table_label,
};
use crate::{
    model::EntryName,
    service::{
        catalog::parse_stored_options,
        options::{self, OptionValue, Options},
    },
};

/// Values of a list that a difference contains.
const MAX_LISTED: usize = 20;

/// An entry that changed while it was edited, compared with the edited options.
#[derive(Debug, Clone)]
pub struct EntryConflict {
    /// The stored revision; `None` if the entry was deleted.
    pub revision: Option<String>,
    /// User and time of the last change, if the audit log still has it.
    pub changed_by: Option<(String, String)>,
    /// The options that differ: `before` is stored, `after` is edited. Of lists, they have only the values that the
    /// other one does not have.
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
        let mut differences = diff_options(name, &options, &edited);
        for difference in &mut differences {
            let values = [&options, &edited].map(|options| options.get(&difference.option));
            if let [
                Some(OptionValue::List(stored)),
                Some(OptionValue::List(edited)),
            ] = values
            {
                difference.before = only_in(stored, edited);
                difference.after = only_in(edited, stored);
            }
        }
        Ok(EntryConflict {
            revision: entry.map(|entry| entry.revision.clone()),
            changed_by: self.latest_change(table_label(name.0), &name.1).await?,
            differences,
        })
    }
}

/// The first values of a list that the other one does not have.
fn only_in(list: &[String], other: &[String]) -> Option<String> {
    let other: std::collections::HashSet<&String> = other.iter().collect();
    let only: Vec<&str> = list
        .iter()
        .filter(|value| !other.contains(value))
        .map(String::as_str)
        .collect();
    let listed = only.get(..MAX_LISTED).unwrap_or(&only).join(", ");
    match only.len().saturating_sub(MAX_LISTED) {
        0 => Some(listed).filter(|listed| !listed.is_empty()),
        more => Some(format!("{listed} and {more} more")),
    }
}
