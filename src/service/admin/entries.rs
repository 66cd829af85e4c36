//! Configured services and resource groups, one at a time.

use std::sync::Arc;

use serde::Serialize;

use super::{Admin, AdminError, Operator, change::Edit, kind};
use crate::{
    service::{
        OptionHelp, Template,
        catalog::read_stored,
        options::{self, HiddenError, Options},
        schema::option_warnings,
    },
    store::{EntryName, StoredCatalog, StoredEntry, Table},
};

/// Where an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In the catalogue file; it cannot be changed here.
    File,
    /// Here.
    Admin,
}

/// A configured service or a resource group, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub origin: Origin,
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
pub enum Condition {
    /// It does not say.
    Unsaid,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// One of these revisions.
    Is(Vec<String>),
}

/// What became of a put.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// There was none.
    Created(Entry),
    /// There was another.
    Replaced(Entry),
}

impl Condition {
    /// Whether it holds for what there `is`, a revision of `what`.
    ///
    /// # Errors
    /// [`AdminError::Changed`] where it does not; [`AdminError::Unconditional`] where it says nothing and
    /// there is something.
    pub(super) fn check(&self, is: Option<&str>, what: &str) -> Result<(), AdminError> {
        match (self, is) {
            (Self::Unsaid | Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Is(revisions), Some(is)) if revisions.iter().any(|one| one == is) => Ok(()),
            (Self::Unsaid, Some(_)) => Err(AdminError::Unconditional(format!(
                "{what} is there already; to replace or delete it, say which state of it you have \
                 seen: If-Match with its ETag"
            ))),
            (Self::Absent, Some(_)) => Err(AdminError::Changed(format!(
                "{what} is there already; nothing was changed"
            ))),
            (Self::Is(_), Some(is)) => Err(AdminError::Changed(format!(
                "{what} has been changed since you looked; it is at \"{is}\" now, and nothing was \
                 changed"
            ))),
            (Self::Present | Self::Is(_), None) => Err(AdminError::Changed(format!(
                "{what} is not there any more; nothing was changed"
            ))),
        }
    }
}

impl Admin {
    /// All entries of a table, and the version that they are of.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self, table: Table) -> Result<(String, Vec<Entry>), AdminError> {
        let stored = self.readable_catalog().await?;
        let file = self.office.draft.table(table).iter();
        let file = file.map(|(name, options)| of_file(&(table, name.clone()), options));
        let mut entries: Vec<Entry> = file.collect();
        for (name, entry) in stored.entries.iter().filter(|(name, _)| name.0 == table) {
            entries.push(self.told(name, entry));
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((stored.version.clone(), entries))
    }

    /// One entry.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`]; what the store says.
    pub async fn read(&self, name: EntryName) -> Result<Entry, AdminError> {
        if let Some(options) = self.office.draft.get(&name) {
            return Ok(of_file(&name, options));
        }
        let stored = self.readable_catalog().await?;
        let entry = stored.entries.get(&name);
        let told = entry.map(|entry| self.told(&name, entry));
        told.ok_or(AdminError::NoSuchEntry(name.0, name.1))
    }

    /// What operators made: as the store has it or, while it is away, as this replica read it last.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn readable_catalog(&self) -> Result<Arc<StoredCatalog>, AdminError> {
        let stored = self.store.stored_catalog().await;
        self.office.status.note(&stored);
        match (stored, self.office.in_force.stored()) {
            (Err(error), Some(known)) if error.is_away() => Ok(known),
            (stored, _) => Ok(Arc::new(stored?)),
        }
    }

    /// Makes an entry, or replaces the one that `condition` is true of.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] names the option; [`AdminError::ReadOnly`], [`AdminError::Changed`],
    /// [`AdminError::Unconditional`]; what the store says.
    pub async fn put(
        &self,
        name: EntryName,
        options: Options,
        condition: &Condition,
        by: &Operator,
    ) -> Result<Put, AdminError> {
        self.check_writable(&name)?;
        let options = options::without_empty(options);
        let plan = |stored: &StoredCatalog| {
            let is = stored.entries.get(&name);
            condition.check(is.map(|entry| entry.revision.as_str()), &called(&name))?;
            let before = is.and_then(|entry| read_stored(&entry.text).ok());
            let options = revealed(&name, options.clone(), before.as_ref())?;
            let edit = Edit::put(name.clone(), before, options);
            Ok((vec![edit], is.is_some()))
        };
        let (revision, replaced) = self.change(by, plan).await?;
        let told = Entry {
            warnings: option_warnings(&name, &options),
            name: name.1,
            origin: Origin::Admin,
            revision,
            options: options::hidden(&options),
            problem: None,
        };
        Ok(if replaced {
            Put::Replaced(told)
        } else {
            Put::Created(told)
        })
    }

    /// Deletes the entry, if `condition` is true of it. Services made from it live on until they end, and
    /// numbers that are held stay held.
    ///
    /// # Errors
    /// As [`Admin::put`]; [`AdminError::NoSuchEntry`]; [`AdminError::Invalid`] where others need it.
    pub async fn delete(
        &self,
        name: EntryName,
        condition: &Condition,
        by: &Operator,
    ) -> Result<(), AdminError> {
        let plan = |stored: &StoredCatalog| {
            // One that the file has taken the name of can go.
            let Some(is) = stored.entries.get(&name) else {
                self.check_writable(&name)?;
                return Err(AdminError::NoSuchEntry(name.0, name.1.clone()));
            };
            condition.check(Some(&is.revision), &called(&name))?;
            let before = read_stored(&is.text).ok();
            Ok((vec![Edit::delete(name.clone(), before)], ()))
        };
        self.change(by, plan).await?;
        Ok(())
    }

    /// The options of a configured service that is made from `template`, those that are needed most first.
    #[must_use]
    pub fn options_of(&self, template: &Template) -> Vec<OptionHelp> {
        template.options(self.office.rules.longest_life)
    }

    pub(super) fn check_writable(&self, name: &EntryName) -> Result<(), AdminError> {
        match self.office.draft.get(name) {
            Some(_) => Err(AdminError::ReadOnly(name.0, name.1.clone())),
            None => Ok(()),
        }
    }

    fn told(&self, name: &EntryName, entry: &StoredEntry) -> Entry {
        let known = self.office.in_force.now();
        let problem = known.problems().get(name).cloned();
        let (options, unreadable) = match read_stored(&entry.text) {
            Ok(options) => (options, None),
            Err(error) => (Options::new(), Some(error.to_string())),
        };
        Entry {
            name: name.1.clone(),
            origin: Origin::Admin,
            revision: entry.revision.clone(),
            options: options::hidden(&options),
            problem: unreadable.or(problem),
            warnings: option_warnings(name, &options),
        }
    }
}

fn of_file(name: &EntryName, options: &Options) -> Entry {
    Entry {
        warnings: option_warnings(name, options),
        name: name.1.clone(),
        origin: Origin::File,
        revision: "file".to_owned(),
        options: options::hidden(options),
        problem: None,
    }
}

/// An entry, in words.
pub(super) fn called((table, name): &EntryName) -> String {
    format!("{} {name:?}", kind(*table))
}

/// Options as they were sent, with what was hidden in them.
pub(super) fn revealed(
    name: &EntryName,
    sent: Options,
    is: Option<&Options>,
) -> Result<Options, AdminError> {
    options::revealed(sent, is).map_err(|error| {
        let (called, hidden) = (called(name), options::HIDDEN);
        let (option, problem) = match error {
            HiddenError::Absent(option) => (option, "and there is none"),
            HiddenError::OtherBackend(option) => (
                option,
                "and cannot be sent to another scheme, host, port or backend: enter the secret again",
            ),
        };
        AdminError::Invalid(format!(
            "{called}, option {option}: is {hidden:?}, which stands for the value there is, {problem}"
        ))
    })
}
