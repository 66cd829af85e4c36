//! Configured services and resource groups, one at a time.

use std::sync::Arc;

use serde::Serialize;

use super::{Actor, Admin, AdminError, catalog_transaction::EntryChange, table_label};
use crate::{
    service::{
        OptionDoc, ServicePreset,
        catalog::parse_stored_options,
        options::{self, Options, RestoreError},
        schema::option_warnings,
    },
    store::{EntryName, StoredCatalog, StoredEntry, Table},
};

/// Where an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryOrigin {
    /// In the catalogue file; it cannot be changed here.
    File,
    /// Here.
    Admin,
}

/// A configured service or a resource group, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub origin: EntryOrigin,
    /// Tells this state of it from others.
    pub revision: String,
    /// What it says; what is secret is hidden.
    pub options: Options,
    /// Why it cannot be used on this replica.
    pub problem: Option<String>,
    /// Options that are probably misspelled.
    pub warnings: Vec<String>,
}

/// Which state of an entry a change is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// It does not say.
    None,
    /// There is none.
    MustNotExist,
    /// There is one.
    MustExist,
    /// One of these revisions.
    IfMatch(Vec<String>),
}

/// What became of a put.
#[derive(Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was none.
    Created(CatalogEntry),
    /// There was another.
    Replaced(CatalogEntry),
}

impl Precondition {
    /// Whether it holds for what there `is`, a revision of `what`.
    ///
    /// # Errors
    /// [`AdminError::PreconditionFailed`] where it does not; [`AdminError::PreconditionRequired`] where it says nothing and
    /// there is something.
    pub(super) fn check(&self, is: Option<&str>, what: &str) -> Result<(), AdminError> {
        match (self, is) {
            (Self::None | Self::MustNotExist, None) | (Self::MustExist, Some(_)) => Ok(()),
            (Self::IfMatch(revisions), Some(is)) if revisions.iter().any(|one| one == is) => Ok(()),
            (Self::None, Some(_)) => Err(AdminError::PreconditionRequired(format!(
                "{what} is there already; to replace or delete it, say which state of it you have \
                 seen: If-Match with its ETag"
            ))),
            (Self::MustNotExist, Some(_)) => Err(AdminError::PreconditionFailed(format!(
                "{what} is there already; nothing was changed"
            ))),
            (Self::IfMatch(_), Some(is)) => Err(AdminError::PreconditionFailed(format!(
                "{what} has been changed since you looked; it is at \"{is}\" now, and nothing was \
                 changed"
            ))),
            (Self::MustExist | Self::IfMatch(_), None) => Err(AdminError::PreconditionFailed(
                format!("{what} is not there any more; nothing was changed"),
            )),
        }
    }
}

impl Admin {
    /// All entries of a table, and the version that they are of.
    ///
    /// # Errors
    /// What the store says.
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
    /// [`AdminError::NoSuchEntry`]; what the store says.
    pub async fn read_entry(&self, name: EntryName) -> Result<CatalogEntry, AdminError> {
        if let Some(options) = self.context.catalog_file.get(&name) {
            return Ok(file_entry(&name, options));
        }
        let stored = self.stored_or_cached_catalog().await?;
        let entry = stored.entries.get(&name);
        let told = entry.map(|entry| self.to_entry(&name, entry));
        told.ok_or(AdminError::NoSuchEntry(name.0, name.1))
    }

    /// What operators made: as the store has it or, while it is away, as this replica read it last.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn stored_or_cached_catalog(&self) -> Result<Arc<StoredCatalog>, AdminError> {
        let stored = self.store.read_catalog().await;
        self.context.store_status.record(&stored);
        match (stored, self.context.current_catalog.stored()) {
            (Err(error), Some(known)) if error.is_unavailable() => Ok(known),
            (stored, _) => Ok(Arc::new(stored?)),
        }
    }

    /// Makes an entry, or replaces the one that `condition` is true of.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] names the option; [`AdminError::ReadOnly`], [`AdminError::PreconditionFailed`],
    /// [`AdminError::PreconditionRequired`]; what the store says.
    pub async fn put_entry(
        &self,
        name: EntryName,
        options: Options,
        condition: &Precondition,
        by: &Actor,
    ) -> Result<PutOutcome, AdminError> {
        self.check_writable(&name)?;
        let options = options::without_empty(options);
        let plan = |stored: &StoredCatalog| {
            let is = stored.entries.get(&name);
            condition.check(is.map(|entry| entry.revision.as_str()), &entry_label(&name))?;
            let before = is.and_then(|entry| parse_stored_options(&entry.text).ok());
            let options = restore_secrets(&name, options.clone(), before.as_ref())?;
            let edit = EntryChange::put(name.clone(), before, options);
            Ok((vec![edit], is.is_some()))
        };
        let (revision, replaced) = self.change_catalog(by, plan).await?;
        let told = CatalogEntry {
            warnings: option_warnings(&name, &options),
            name: name.1,
            origin: EntryOrigin::Admin,
            revision,
            options: options::redact(&options),
            problem: None,
        };
        Ok(if replaced {
            PutOutcome::Replaced(told)
        } else {
            PutOutcome::Created(told)
        })
    }

    /// Deletes the entry, if `condition` is true of it. Services made from it live on until they end, and
    /// numbers that are held stay held.
    ///
    /// # Errors
    /// As [`Admin::put`]; [`AdminError::NoSuchEntry`]; [`AdminError::Invalid`] where others need it.
    pub async fn delete_entry(
        &self,
        name: EntryName,
        condition: &Precondition,
        by: &Actor,
    ) -> Result<(), AdminError> {
        let plan = |stored: &StoredCatalog| {
            // One that the file has taken the name of can go.
            let Some(is) = stored.entries.get(&name) else {
                self.check_writable(&name)?;
                return Err(AdminError::NoSuchEntry(name.0, name.1.clone()));
            };
            condition.check(Some(&is.revision), &entry_label(&name))?;
            let before = parse_stored_options(&is.text).ok();
            Ok((vec![EntryChange::delete(name.clone(), before)], ()))
        };
        self.change_catalog(by, plan).await?;
        Ok(())
    }

    /// The options of a configured service that is made from `template`, those that are needed most first.
    #[must_use]
    pub fn preset_options(&self, template: &ServicePreset) -> Vec<OptionDoc> {
        template.options(self.context.catalog_context.max_ttl_seconds)
    }

    pub(super) fn check_writable(&self, name: &EntryName) -> Result<(), AdminError> {
        match self.context.catalog_file.get(name) {
            Some(_) => Err(AdminError::ReadOnly(name.0, name.1.clone())),
            None => Ok(()),
        }
    }

    fn to_entry(&self, name: &EntryName, entry: &StoredEntry) -> CatalogEntry {
        let known = self.context.current_catalog.load();
        let problem = known.problems().get(name).cloned();
        let (options, unreadable) = match parse_stored_options(&entry.text) {
            Ok(options) => (options, None),
            Err(error) => (Options::new(), Some(error.to_string())),
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

/// An entry, in words.
pub(super) fn entry_label((table, name): &EntryName) -> String {
    format!("{} {name:?}", table_label(*table))
}

/// Options as they were sent, with what was hidden in them.
pub(super) fn restore_secrets(
    name: &EntryName,
    sent: Options,
    is: Option<&Options>,
) -> Result<Options, AdminError> {
    options::restore_secrets(sent, is).map_err(|error| {
        let (called, hidden) = (entry_label(name), options::REDACTED);
        let (option, problem) = match error {
            RestoreError::NoStoredValue(option) => (option, "and there is none"),
            RestoreError::OtherBackend(option) => (
                option,
                "and cannot be sent to another scheme, host, port or backend: enter the secret again",
            ),
        };
        AdminError::Invalid(format!(
            "{called}, option {option}: is {hidden:?}, which stands for the value there is, {problem}"
        ))
    })
}
