//! Entries of the catalog: configured services and resource groups.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Actor, Admin, AdminError,
    entry_change::{EntryChange, entry_label},
    table_label,
};
use crate::{
    model::{EntryName, StoredCatalog, StoredEntry, Table},
    service::{
        EntryError, OptionDoc, ServicePreset,
        catalog::parse_stored_options,
        definition::DefinitionError,
        options::{self, Options, RestoreError, option_warnings},
    },
};

/// Where an entry is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryOrigin {
    /// In the catalog file; read-only.
    File,
    /// In the admin API or console.
    Admin,
}

/// A configured service or a resource group as the admin API returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub origin: EntryOrigin,
    /// The revision, which is its `ETag`.
    pub revision: String,
    /// The options. Secrets are redacted.
    pub options: Options,
    /// Why it is unusable on this replica.
    pub problem: Option<EntryError>,
    /// Options that are probably misspelled.
    pub warnings: Vec<String>,
}

/// The precondition of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// None.
    None,
    /// The entry must not exist (`If-None-Match: *`).
    MustNotExist,
    /// The entry must exist (`If-Match: *`).
    MustExist,
    /// The entry must have one of these revisions.
    IfMatch(Vec<String>),
}

/// The outcome of a put.
#[derive(Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The entry is new.
    Created(CatalogEntry),
    /// The entry replaced another.
    Replaced(CatalogEntry),
}

impl Precondition {
    /// Checks the precondition against the `current` revision of `what`.
    ///
    /// # Errors
    /// [`AdminError::PreconditionFailed`] if it is not met; [`AdminError::PreconditionRequired`] if there is none
    /// although the entry exists.
    pub(super) fn check(&self, current: Option<&str>, what: &str) -> Result<(), AdminError> {
        match (self, current) {
            (Self::None | Self::MustNotExist, None) | (Self::MustExist, Some(_)) => Ok(()),
            (Self::IfMatch(revisions), Some(current))
                if revisions.iter().any(|one| one == current) =>
            {
                Ok(())
            }
            (Self::None, Some(_)) => Err(AdminError::PreconditionRequired(format!(
                "{what} exists already; to replace or delete it, send If-Match with its ETag"
            ))),
            (Self::MustNotExist, Some(_)) => Err(AdminError::PreconditionFailed(format!(
                "{what} exists already; no changes were made"
            ))),
            (Self::IfMatch(_), Some(current)) => Err(AdminError::PreconditionFailed(format!(
                "{what} has changed; its current ETag is \"{current}\"; no changes were made"
            ))),
            (Self::MustExist | Self::IfMatch(_), None) => Err(AdminError::PreconditionFailed(
                format!("{what} does not exist; no changes were made"),
            )),
        }
    }
}

impl Admin {
    /// All entries of a table, and the version of the stored catalog.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn list_entries(
        &self,
        table: Table,
    ) -> Result<(String, Vec<CatalogEntry>), AdminError> {
        let stored = self.stored_or_cached_catalog().await?;
        let file = self.context.catalog_file.table(table).iter();
        let file = file.map(|(name, options)| file_entry(&(table, name.clone()), options));
        let mut entries: Vec<CatalogEntry> = file.collect();
        for (name, entry) in stored.entries.iter().filter(|(name, _)| name.0 == table) {
            entries.push(self.to_entry(name, entry));
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((stored.version.clone(), entries))
    }

    /// One entry.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`], errors of the store.
    pub async fn read_entry(&self, name: EntryName) -> Result<CatalogEntry, AdminError> {
        if let Some(options) = self.context.catalog_file.get(&name) {
            return Ok(file_entry(&name, options));
        }
        let stored = self.stored_or_cached_catalog().await?;
        let entry = stored.entries.get(&name);
        let found = entry.map(|entry| self.to_entry(&name, entry));
        found.ok_or(AdminError::NoSuchEntry(name.0, name.1))
    }

    /// The stored catalog or, while the store is unavailable, the version that this replica read last.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub(super) async fn stored_or_cached_catalog(&self) -> Result<Arc<StoredCatalog>, AdminError> {
        let stored = self.store.read_catalog().await;
        self.context.store_status.record(&stored);
        match (stored, self.context.current_catalog.stored()) {
            (Err(error), Some(cached)) if error.is_unavailable() => Ok(cached),
            (stored, _) => Ok(Arc::new(stored?)),
        }
    }

    /// Creates an entry, or replaces the one that meets `precondition`.
    ///
    /// # Errors
    /// [`AdminError::InvalidEntry`] with the option; [`AdminError::ReadOnly`], [`AdminError::PreconditionFailed`],
    /// [`AdminError::PreconditionRequired`], errors of the store.
    pub async fn put_entry(
        &self,
        name: EntryName,
        options: Options,
        precondition: &Precondition,
        by: &Actor,
    ) -> Result<PutOutcome, AdminError> {
        self.check_writable(&name)?;
        let options = options::without_empty(options);
        let plan = |stored: &StoredCatalog| {
            let current = stored.entries.get(&name);
            precondition.check(
                current.map(|entry| entry.revision.as_str()),
                &entry_label(&name),
            )?;
            let before = current.and_then(|entry| parse_stored_options(&entry.text).ok());
            let options = restore_secrets(&name, options.clone(), before.as_ref())?;
            let edit = EntryChange::put(name.clone(), before, options);
            Ok((vec![edit], current.is_some()))
        };
        let (revision, replaced) = self.change_catalog(by, plan).await?;
        let entry = CatalogEntry {
            warnings: option_warnings(&name, &options),
            name: name.1,
            origin: EntryOrigin::Admin,
            revision,
            options: options::redact(&options),
            problem: None,
        };
        Ok(if replaced {
            PutOutcome::Replaced(entry)
        } else {
            PutOutcome::Created(entry)
        })
    }

    /// Deletes the entry if it meets `precondition`. Existing services made from it stay active until they expire,
    /// and booked numbers stay booked.
    ///
    /// # Errors
    /// As [`Admin::put_entry`]; [`AdminError::NoSuchEntry`]; [`AdminError::Invalid`] if other entries depend on it.
    pub async fn delete_entry(
        &self,
        name: EntryName,
        precondition: &Precondition,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let plan = |stored: &StoredCatalog| {
            // A stored entry can be deleted although the catalog file defines the same name.
            let Some(current) = stored.entries.get(&name) else {
                self.check_writable(&name)?;
                return Err(AdminError::NoSuchEntry(name.0, name.1.clone()));
            };
            precondition.check(Some(&current.revision), &entry_label(&name))?;
            let before = parse_stored_options(&current.text).ok();
            Ok((vec![EntryChange::delete(name.clone(), before)], ()))
        };
        self.change_catalog(by, plan).await?;
        Ok(())
    }

    /// The options of a configured service of type `preset`, the most important first.
    #[must_use]
    pub fn preset_options(&self, preset: &ServicePreset) -> Vec<OptionDoc> {
        preset.options(self.context.catalog_context.max_ttl_seconds)
    }

    pub(super) fn check_writable(&self, name: &EntryName) -> Result<(), AdminError> {
        match self.context.catalog_file.get(name) {
            Some(_) => Err(AdminError::ReadOnly(name.0, name.1.clone())),
            None => Ok(()),
        }
    }

    fn to_entry(&self, name: &EntryName, entry: &StoredEntry) -> CatalogEntry {
        let catalog = self.context.current_catalog.load();
        let problem = catalog.problems().get(name).cloned();
        let (options, unreadable) = match parse_stored_options(&entry.text) {
            Ok(options) => (options, None),
            Err(error) => (Options::new(), Some(error)),
        };
        CatalogEntry {
            name: name.1.clone(),
            origin: EntryOrigin::Admin,
            revision: entry.revision.clone(),
            options: options::redact(&options),
            problem: unreadable.or(problem),
            warnings: option_warnings(name, &options),
        }
    }
}

fn file_entry(name: &EntryName, options: &Options) -> CatalogEntry {
    CatalogEntry {
        warnings: option_warnings(name, options),
        name: name.1.clone(),
        origin: EntryOrigin::File,
        revision: "file".to_owned(),
        options: options::redact(options),
        problem: None,
    }
}

/// The received options with redacted secrets replaced by the stored ones.
pub(super) fn restore_secrets(
    name: &EntryName,
    received: Options,
    stored: Option<&Options>,
) -> Result<Options, AdminError> {
    options::restore_secrets(received, stored).map_err(|error| {
        let (option, problem) = match error {
            RestoreError::NoStoredValue(option) => (option, "but no value is stored"),
            RestoreError::OtherBackend(option) => (
                option,
                "but the scheme, host, port or backend has changed: enter the secret again",
            ),
        };
        let redacted = options::REDACTED;
        let error = EntryError::InvalidOption(DefinitionError {
            kind: table_label(name.0),
            name: name.1.clone(),
            option,
            problem: format!("is {redacted:?}, the placeholder of the stored value, {problem}"),
        });
        error.into()
    })
}
