//! The whole catalogue as TOML, out and in.

use std::collections::BTreeSet;

use super::{
    Actor, Admin, AdminError, Precondition, catalog_transaction::EntryChange,
    entries::restore_secrets,
};
use crate::{
    service::{
        CatalogFile,
        catalog::parse_stored_options,
        options::{self, OptionValue, Options},
    },
    store::{EntryName, StoreError, StoredCatalog},
};

/// The maximum number of warnings about one import.
const MAX_WARNINGS: usize = 100;

/// What becomes of what the imported catalogue does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// It is deleted: afterwards there is what the text says.
    Replace,
    /// It stays.
    Merge,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The version there is afterwards; of what is only looked at, the one that it would be done to.
    pub version: String,
    /// Entries that are new.
    pub created: Vec<EntryName>,
    /// Entries that say something else now.
    pub replaced: Vec<EntryName>,
    /// Entries that are no longer there.
    pub deleted: Vec<EntryName>,
    /// How many entries said so before, those of the file included.
    pub unchanged: usize,
    /// What changes in the entries that say something else.
    pub differences: Vec<Difference>,
    /// Options that are probably misspelled, in any entry of the text.
    pub warnings: Vec<String>,
}

/// An option that changes in an entry. Secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The entry.
    pub entry: EntryName,
    /// The option.
    pub option: String,
    /// Its value before; `None` where it had none.
    pub before: Option<String>,
    /// Its value afterwards.
    pub after: Option<String>,
}

/// What differs between two states of an entry.
fn diff_options(entry: &EntryName, before: &Options, after: &Options) -> Vec<Difference> {
    let (hidden, shown) = (options::redact(before), options::redact(after));
    let text = |options: &Options, option| {
        Some(match options.get(option)? {
            OptionValue::Text(text) => text.clone(),
            OptionValue::List(texts) => texts.join(", "),
        })
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    let differ = differ.map(|option| Difference {
        entry: entry.clone(),
        option: option.clone(),
        before: text(&hidden, option),
        after: text(&shown, option),
    });
    differ.collect()
}

/// What an export contains in place of passwords and the like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// `********`, which an import takes for the secret that there is.
    Redacted,
    /// The secrets themselves.
    Included,
}

/// Everything that `file` defines and that was made in the store, as a catalog file.
///
/// # Errors
/// [`StoreError::Bug`] for what cannot be written as TOML.
pub fn export_catalog(
    file: &CatalogFile,
    stored: &StoredCatalog,
    secrets: Secrets,
) -> Result<String, StoreError> {
    let shown = |options: &Options| match secrets {
        Secrets::Redacted => options::redact(options),
        Secrets::Included => options.clone(),
    };
    let mut draft = CatalogFile::default();
    for (name, entry) in &stored.entries {
        if let Ok(options) = parse_stored_options(&entry.text) {
            draft.insert(name.clone(), shown(&options));
        }
    }
    for (name, options) in file.entries() {
        draft.insert(name, shown(options));
    }
    let text = draft.to_toml();
    text.map_err(|error| StoreError::Bug(error.to_string()))
}

fn check_condition(condition: &Precondition, stored: &StoredCatalog) -> Result<(), AdminError> {
    // Where all of it was deleted there is no catalogue, and yet a state that somebody has seen.
    let seen = matches!(condition, Precondition::IfMatch(_));
    let is = Some(stored.version.as_str());
    let is = is.filter(|_| seen || !stored.entries.is_empty());
    condition.check(is, "a catalogue")
}

impl ImportReport {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        self.created.is_empty() && self.replaced.is_empty() && self.deleted.is_empty()
    }
}

impl Admin {
    /// Everything, the file's part included, as a catalogue file, and its version. Secrets are hidden.
    ///
    /// # Errors
    /// What the store says.
    pub async fn export_catalog(&self) -> Result<(String, String), AdminError> {
        let stored = self.stored_or_cached_catalog().await?;
        let text = export_catalog(&self.context.catalog_file, &stored, Secrets::Redacted)?;
        Ok((stored.version.clone(), text))
    }

    /// Makes what `text`, a catalogue file, says, all of it or nothing. Entries of the file that is
    /// configured may be in it, as they are.
    ///
    /// # Errors
    /// [`AdminError::Unreadable`], or as [`Admin::put`].
    pub async fn import_catalog(
        &self,
        text: &str,
        mode: ImportMode,
        condition: &Precondition,
        by: &Actor,
    ) -> Result<ImportReport, AdminError> {
        let draft = CatalogFile::parse("the catalogue", text)?;
        let plan = |stored: &StoredCatalog| {
            check_condition(condition, stored)?;
            self.plan_changes(&draft, mode, stored)
        };
        let (version, imported) = self.change_catalog(by, plan).await?;
        Ok(ImportReport {
            version,
            ..imported
        })
    }

    /// What [`Admin::import`] would do now. Done on condition of the version that this gives, it does just
    /// that. No `condition` is needed, for nothing changes.
    ///
    /// # Errors
    /// As of the import.
    pub async fn preview_import(
        &self,
        text: &str,
        mode: ImportMode,
        condition: &Precondition,
    ) -> Result<ImportReport, AdminError> {
        let draft = CatalogFile::parse("the catalogue", text)?;
        let stored = self.store.read_catalog().await?;
        if !matches!(condition, Precondition::None) {
            check_condition(condition, &stored)?;
        }
        let (edits, imported) = self.plan_changes(&draft, mode, &stored)?;
        let version = stored.version.clone();
        self.validate(&stored, &edits).await?;
        Ok(ImportReport {
            version,
            ..imported
        })
    }

    fn plan_changes(
        &self,
        draft: &CatalogFile,
        mode: ImportMode,
        stored: &StoredCatalog,
    ) -> Result<(Vec<EntryChange>, ImportReport), AdminError> {
        let (mut edits, mut imported) = (Vec::new(), ImportReport::default());
        imported.warnings = draft.warnings();
        imported.warnings.truncate(MAX_WARNINGS);
        let mut named = BTreeSet::new();
        for (name, options) in draft.entries() {
            if self.is_in_file(&name, options)? {
                imported.unchanged += 1;
                continue;
            }
            named.insert(name.clone());
            let is = stored.entries.get(&name);
            let before = is.and_then(|entry| parse_stored_options(&entry.text).ok());
            let options = options::without_empty(options.clone());
            let after = restore_secrets(&name, options, before.as_ref())?;
            match &before {
                Some(before) if *before == after => {
                    imported.unchanged += 1;
                    continue;
                }
                Some(before) => {
                    imported.replaced.push(name.clone());
                    imported
                        .differences
                        .extend(diff_options(&name, before, &after));
                }
                None => imported.created.push(name.clone()),
            }
            edits.push(EntryChange::put(name, before, after));
        }
        let gone = stored
            .entries
            .iter()
            .filter(|_| mode == ImportMode::Replace);
        for (name, entry) in gone.filter(|(name, _)| !named.contains(*name)) {
            imported.deleted.push(name.clone());
            let before = parse_stored_options(&entry.text).ok();
            edits.push(EntryChange::delete(name.clone(), before));
        }
        Ok((edits, imported))
    }

    /// Whether the file that is configured says just this.
    fn is_in_file(&self, name: &EntryName, options: &Options) -> Result<bool, AdminError> {
        let Some(is) = self.context.catalog_file.get(name) else {
            return Ok(false);
        };
        let is = options::without_empty(is.clone());
        let sent = options::without_empty(options.clone());
        if restore_secrets(name, sent, Some(&is))? == is {
            return Ok(true);
        }
        self.check_writable(name).map(|()| false)
    }
}
