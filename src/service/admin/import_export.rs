//! Import and export of the catalog as TOML.

use std::collections::BTreeSet;

use super::{
    Actor, Admin, AdminError, Difference, Precondition, differences::diff_options,
    entries::restore_secrets, entry_change::EntryChange,
};
use crate::{
    model::{EntryName, StoreError, StoredCatalog},
    service::{
        CatalogFile,
        catalog::parse_stored_options,
        options::{self, Options},
    },
};

/// The maximum number of warnings about one import.
const MAX_WARNINGS: usize = 100;

/// How an import treats stored entries that are not in the imported catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// They are deleted.
    Replace,
    /// They stay.
    Merge,
}

/// The changes of an import or of its preview.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The version after the import; in a preview, the version that it was computed from.
    pub version: String,
    /// New entries.
    pub created: Vec<EntryName>,
    /// Entries whose options change.
    pub replaced: Vec<EntryName>,
    /// Deleted entries.
    pub deleted: Vec<EntryName>,
    /// The number of unchanged entries, including those of the catalog file.
    pub unchanged: usize,
    /// The option changes of replaced entries.
    pub differences: Vec<Difference>,
    /// Options that are probably misspelled, in any entry of the text.
    pub warnings: Vec<String>,
}

/// How an export contains secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// As `********`, which an import replaces by the stored secret.
    Redacted,
    /// In plain text.
    Included,
}

/// The entries of `file` and of the stored catalog, as a catalog file.
///
/// # Errors
/// [`StoreError::Bug`] if an entry cannot be serialized as TOML.
pub fn export_catalog(
    file: &CatalogFile,
    stored: &StoredCatalog,
    secrets: Secrets,
) -> Result<String, StoreError> {
    let export = |options: &Options| match secrets {
        Secrets::Redacted => options::redact(options),
        Secrets::Included => options.clone(),
    };
    let mut exported = CatalogFile::default();
    for (name, entry) in &stored.entries {
        if let Ok(options) = parse_stored_options(&entry.text) {
            exported.insert(name.clone(), export(&options));
        }
    }
    for (name, options) in file.entries() {
        exported.insert(name, export(options));
    }
    let text = exported.to_toml();
    text.map_err(|error| StoreError::Bug(error.to_string()))
}

fn check_condition(precondition: &Precondition, stored: &StoredCatalog) -> Result<(), AdminError> {
    // An empty stored catalog counts as absent, except for If-Match: its version may be that of a previous response.
    let has_revisions = matches!(precondition, Precondition::IfMatch(_));
    let current = Some(stored.version.as_str());
    let current = current.filter(|_| has_revisions || !stored.entries.is_empty());
    precondition.check(current, "a catalog")
}

impl ImportReport {
    /// Whether the import changes nothing.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.created.is_empty() && self.replaced.is_empty() && self.deleted.is_empty()
    }
}

impl Admin {
    /// The whole catalog as a catalog file, and its version. Secrets are redacted.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn export_catalog(&self) -> Result<(String, String), AdminError> {
        let stored = self.stored_or_cached_catalog().await?;
        let text = export_catalog(&self.context.catalog_file, &stored, Secrets::Redacted)?;
        Ok((stored.version.clone(), text))
    }

    /// Imports `text`, a catalog file, atomically. It may contain entries of the configured catalog file if they are
    /// unchanged.
    ///
    /// # Errors
    /// [`AdminError::Unreadable`], or as [`Admin::put_entry`].
    pub async fn import_catalog(
        &self,
        text: &str,
        mode: ImportMode,
        precondition: &Precondition,
        by: &Actor,
    ) -> Result<ImportReport, AdminError> {
        let imported_file = CatalogFile::parse("the catalog", text)?;
        let plan = |stored: &StoredCatalog| {
            check_condition(precondition, stored)?;
            self.plan_changes(&imported_file, mode, stored)
        };
        let (version, report) = self.change_catalog(by, plan).await?;
        Ok(ImportReport { version, ..report })
    }

    /// Previews [`Admin::import_catalog`]. An import with the returned version as its precondition makes exactly
    /// these changes. Without a precondition
    /// none is checked.
    ///
    /// # Errors
    /// As [`Admin::import_catalog`].
    pub async fn preview_import(
        &self,
        text: &str,
        mode: ImportMode,
        precondition: &Precondition,
    ) -> Result<ImportReport, AdminError> {
        let imported_file = CatalogFile::parse("the catalog", text)?;
        let stored = self.store.read_catalog().await?;
        if !matches!(precondition, Precondition::None) {
            check_condition(precondition, &stored)?;
        }
        let (edits, report) = self.plan_changes(&imported_file, mode, &stored)?;
        let version = stored.version.clone();
        self.validate(&stored, &edits).await?;
        Ok(ImportReport { version, ..report })
    }

    fn plan_changes(
        &self,
        imported_file: &CatalogFile,
        mode: ImportMode,
        stored: &StoredCatalog,
    ) -> Result<(Vec<EntryChange>, ImportReport), AdminError> {
        let (mut edits, mut report) = (Vec::new(), ImportReport::default());
        report.warnings = imported_file.warnings();
        report.warnings.truncate(MAX_WARNINGS);
        let mut names_in_file = BTreeSet::new();
        for (name, options) in imported_file.entries() {
            if self.is_in_file(&name, options)? {
                report.unchanged += 1;
                continue;
            }
            names_in_file.insert(name.clone());
            let stored_entry = stored.entries.get(&name);
            let before = stored_entry.and_then(|entry| parse_stored_options(&entry.text).ok());
            let options = options::without_empty(options.clone());
            let after = restore_secrets(&name, options, before.as_ref())?;
            match &before {
                Some(before) if *before == after => {
                    report.unchanged += 1;
                    continue;
                }
                Some(before) => {
                    report.replaced.push(name.clone());
                    report
                        .differences
                        .extend(diff_options(&name, before, &after));
                }
                None => report.created.push(name.clone()),
            }
            edits.push(EntryChange::put(name, before, after));
        }
        let deletable = stored
            .entries
            .iter()
            .filter(|_| mode == ImportMode::Replace);
        for (name, entry) in deletable.filter(|(name, _)| !names_in_file.contains(*name)) {
            report.deleted.push(name.clone());
            let before = parse_stored_options(&entry.text).ok();
            edits.push(EntryChange::delete(name.clone(), before));
        }
        Ok((edits, report))
    }

    /// Whether the configured catalog file contains the entry with exactly these options.
    fn is_in_file(&self, name: &EntryName, options: &Options) -> Result<bool, AdminError> {
        let Some(in_file) = self.context.catalog_file.get(name) else {
            return Ok(false);
        };
        let in_file = options::without_empty(in_file.clone());
        let received = options::without_empty(options.clone());
        if restore_secrets(name, received, Some(&in_file))? == in_file {
            return Ok(true);
        }
        self.check_writable(name).map(|()| false)
    }
}
