//! Restores catalog entries that the store lost, from the memory of this replica.

use super::{Actor, Admin, AdminError, ImportReport, Precondition, entry_change::EntryChange};
use crate::{
    model::{EntryName, StoredCatalog, Timestamp},
    service::catalog::parse_stored_options,
};

/// Entries that the store lost and this replica can restore. Empty if nothing is lost.
#[derive(Debug, Clone, Default)]
pub struct LostEntries {
    /// When this replica detected the loss.
    pub detected_at: Option<Timestamp>,
    /// The version of the catalog that was lost.
    pub lost_version: Option<String>,
    /// The current version, the precondition of a restore.
    pub version: String,
    /// The lost entries.
    pub entries: Vec<EntryName>,
}

impl Admin {
    /// The entries that the store lost, as far as this replica has detected it.
    #[must_use]
    pub fn lost_entries(&self) -> LostEntries {
        let current_catalog = &self.context.current_catalog;
        let stored = current_catalog.stored().unwrap_or_default();
        let version = stored.version.clone();
        let Some(lost) = current_catalog.lost() else {
            return LostEntries {
                version,
                ..LostEntries::default()
            };
        };
        let entries = lost.missing_from(&stored).map(|(name, _)| name.clone());
        LostEntries {
            detected_at: Some(lost.detected_at),
            lost_version: Some(lost.version().to_owned()),
            version,
            entries: entries.collect(),
        }
    }

    /// Restores the entries that the store lost, atomically, if `precondition` is met by the current version. Entries
    /// that were created or changed since are not modified.
    ///
    /// # Errors
    /// [`AdminError::PreconditionFailed`], also if nothing is lost; [`AdminError::PreconditionRequired`];
    /// as [`Admin::put_entry`].
    pub async fn restore_entries(
        &self,
        precondition: &Precondition,
        by: &Actor,
    ) -> Result<ImportReport, AdminError> {
        let nothing_lost =
            "this replica has no lost catalog entries to restore; no changes were made";
        let lost = self.context.current_catalog.lost();
        let lost = lost.ok_or_else(|| AdminError::PreconditionFailed(nothing_lost.to_owned()))?;
        if matches!(precondition, Precondition::None) {
            let message =
                "to restore the lost entries, send If-Match with the ETag of catalog/lost";
            return Err(AdminError::PreconditionRequired(message.to_owned()));
        }
        let plan = |stored: &StoredCatalog| {
            precondition.check(Some(&stored.version), "the catalog")?;
            let (mut changes, mut restored) = (Vec::new(), ImportReport::default());
            for (name, entry) in lost.missing_from(stored) {
                if self.check_writable(name).is_err() {
                    // The catalog file defines this name now.
                    continue;
                }
                let current = stored.entries.get(name);
                let before = current.and_then(|entry| parse_stored_options(&entry.text).ok());
                match current {
                    Some(_) => restored.replaced.push(name.clone()),
                    None => restored.created.push(name.clone()),
                }
                changes.push(EntryChange::restore(
                    name.clone(),
                    before,
                    parse_stored_options(&entry.text)?,
                ));
            }
            Ok((changes, restored))
        };
        let (version, restored) = self.change_catalog(by, plan).await?;
        Ok(ImportReport {
            version,
            ..restored
        })
    }
}
