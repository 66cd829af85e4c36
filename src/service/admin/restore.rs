//! Restoring what the store has lost of the catalog, from what this replica still knows.

use super::{
    Actor, Admin, AdminError, ImportReport, Precondition, catalog_transaction::EntryChange,
};
use crate::{
    service::catalog::parse_stored_options,
    store::{EntryName, StoredCatalog, Timestamp},
};

/// Entries that the store has lost and this replica knows; none where nothing is lost.
#[derive(Debug, Clone, Default)]
pub struct LostEntries {
    /// When this replica noticed.
    pub detected_at: Option<Timestamp>,
    /// The version of the catalog that was lost.
    pub lost_version: Option<String>,
    /// The version that there is now: a restore names it.
    pub version: String,
    /// Which entries.
    pub entries: Vec<EntryName>,
}

impl Admin {
    /// What the store has lost, as this replica knows.
    #[must_use]
    pub fn lost_entries(&self) -> LostEntries {
        let in_force = &self.context.current_catalog;
        let stored = in_force.stored().unwrap_or_default();
        let version = stored.version.clone();
        let Some(lost) = in_force.lost() else {
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

    /// Makes again what the store has lost, all of it or nothing, if `condition` is true of the version
    /// that there is. Entries that were made or changed since stay as they are.
    ///
    /// # Errors
    /// [`AdminError::PreconditionFailed`], also where nothing is lost; [`AdminError::PreconditionRequired`]; as [`Admin::put`].
    pub async fn restore_entries(
        &self,
        condition: &Precondition,
        by: &Actor,
    ) -> Result<ImportReport, AdminError> {
        let nothing = "this replica knows of no catalog entries that the store has lost; nothing was \
                       changed";
        let lost = self.context.current_catalog.lost();
        let lost = lost.ok_or_else(|| AdminError::PreconditionFailed(nothing.to_owned()))?;
        let plan = |stored: &StoredCatalog| {
            condition.check(Some(&stored.version), "the catalog")?;
            let (mut edits, mut restored) = (Vec::new(), ImportReport::default());
            for (name, entry) in lost.missing_from(stored) {
                if self.check_writable(name).is_err() {
                    // The file has taken the name.
                    continue;
                }
                let is = stored.entries.get(name);
                let before = is.and_then(|entry| parse_stored_options(&entry.text).ok());
                match is {
                    Some(_) => restored.replaced.push(name.clone()),
                    None => restored.created.push(name.clone()),
                }
                edits.push(EntryChange::restore(
                    name.clone(),
                    before,
                    parse_stored_options(&entry.text)?,
                ));
            }
            Ok((edits, restored))
        };
        let (version, restored) = self.change_catalog(by, plan).await?;
        Ok(ImportReport {
            version,
            ..restored
        })
    }
}
