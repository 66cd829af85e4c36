//! The configured services and resource groups: those of a TOML file, and those that operators made while
//! the service runs, which live in the store.
//!
//! Both are read by the same rules. The file must be right as a whole, or the service does not start. What
//! operators made was right when it was made; of what is not, or no longer (another replica may be of a
//! later version, or have another file), each entry is left out by itself, and told in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use secrecy::SecretString;
use thiserror::Error;
use tracing::warn;

use self::entry::{check_group, check_shape, is_open, understood};
pub(super) use self::entry::{kind, read_stored};
use self::lost::LostCatalog;
pub use self::{
    draft::Draft,
    entry::{EntryError, MOST_OPTIONS},
    in_force::InForce,
    keeper::CatalogKeeper,
};
use super::{
    backend::Plan,
    definition::Definition,
    locks::Locks,
    options::Options,
    resources::{Pools, Resources},
    schema::option_warnings,
    subscriber::Numbering,
};
use crate::{
    settings::{Credentials, Groups},
    store::{self, EntryName, Moment, StoredCatalog, Table},
};

mod draft;
mod entry;
mod example;
mod in_force;
mod keeper;
mod lost;
#[cfg(test)]
mod tests;

/// For how long it is kept in mind what was deleted: numbers of a group are held for half an hour at most,
/// and services for as long as they may live, and then this long.
const RETIRED_LIFE: Duration = Duration::from_secs(3_600);
/// Unknown options that are logged one by one when a catalog is put in force.
const MAX_LOGGED_WARNINGS: usize = 100;

/// What is wrong with a catalogue.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// It is no TOML, or not of the form `[services.<name>]`.
    #[error("{origin}: {reason}")]
    Unreadable {
        /// Where the text came from.
        origin: String,
        /// What was found, with line and column.
        reason: String,
    },
    /// An entry is wrong.
    #[error("{origin}: {error}")]
    Entry {
        /// Where the text came from.
        origin: String,
        /// Which one, and what of it.
        error: EntryError,
    },
}

/// Where `${NAME}` comes from.
pub type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What it takes to understand a catalogue.
#[derive(Clone)]
pub struct Rules {
    /// Seconds that a service may live.
    pub longest_life: u64,
    /// How numbers are compared.
    pub numbering: Numbering,
    /// What counts for services that do not say otherwise.
    pub server: Credentials,
    /// Where `${NAME}` in the value of a `_header.` option comes from.
    pub variables: Arc<Variables>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

/// All configured services and resource groups, understood.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    definitions: BTreeMap<String, Arc<Definition>>,
    /// Deleted ones, of which services may live.
    retired: BTreeMap<String, Arc<Definition>>,
    pools: Pools,
    locks: Locks,
    /// What operators made and cannot be used here, and why.
    problems: BTreeMap<EntryName, String>,
    /// Options that are probably misspelled.
    warnings: BTreeSet<String>,
    /// Which version of what operators made it has in it; `None` where that has not been read yet.
    version: Option<String>,
}

impl Catalog {
    /// Understands what a file says.
    ///
    /// # Errors
    /// A [`CatalogError`] that names the entry, its option and what was expected.
    pub fn of_file(origin: &str, draft: &Draft, rules: &Rules) -> Result<Self, CatalogError> {
        let mut catalog = Self {
            locks: Locks::new(&rules.server),
            ..Self::default()
        };
        for (name, options) in draft.entries() {
            let added = catalog.add(name, options.clone(), rules, |_| true);
            added.map_err(|error| CatalogError::Entry {
                origin: origin.to_owned(),
                error,
            })?;
        }
        Ok(catalog)
    }

    /// This one, which is the file's, and what operators made. Entries of it that cannot be used are left
    /// out and listed. Where two get in each other's way, it is one of `last`. What was deleted is kept in
    /// mind for as long as it matters after `now`.
    #[must_use]
    pub fn with(
        &self,
        stored: &StoredCatalog,
        last: &BTreeSet<EntryName>,
        rules: &Rules,
        now: Moment,
    ) -> Self {
        let mut catalog = self.clone();
        catalog.version = Some(stored.version.clone());
        let entries = stored.entries.iter();
        let (last, first): (Vec<_>, Vec<_>) = entries.partition(|(name, _)| last.contains(*name));
        for table in Table::ALL {
            let of_table = first
                .iter()
                .chain(&last)
                .filter(|(name, _)| name.0 == table);
            for (name, entry) in of_table {
                let added = catalog.add_stored(name, &entry.text, rules);
                added.unwrap_or_else(|error| catalog.leave_out(name, &entry.text, rules, &error));
            }
        }
        for ((table, name), entry) in &stored.retired {
            match table {
                _ if now > entry.since.after(retired_life(*table, rules)) => {}
                Table::Resources => catalog.pools.retire(name),
                Table::Services => catalog.retire(name, &entry.text, rules),
            }
        }
        catalog
    }

    fn add_stored(
        &mut self,
        name: &EntryName,
        text: &str,
        rules: &Rules,
    ) -> Result<(), EntryError> {
        let options = read_stored(text)?;
        let (table, key) = name;
        let in_file = match table {
            Table::Services => self.definitions.contains_key(key),
            Table::Resources => self.pools.get(key).is_some(),
        };
        if in_file {
            return Err(EntryError::InFile);
        }
        self.add(name.clone(), options, rules, is_open)
    }

    fn add(
        &mut self,
        entry: EntryName,
        options: Options,
        rules: &Rules,
        may_name: fn(&str) -> bool,
    ) -> Result<(), EntryError> {
        check_shape(&entry, &options)?;
        let warnings = option_warnings(&entry, &options);
        let (table, name) = entry;
        if table == Table::Resources {
            return Ok(self.pools.add(&name, options, rules.numbering)?);
        }
        let definition = understood(&name, options, rules, may_name)?;
        check_group(&definition, &self.pools)?;
        let own = definition.credentials();
        self.locks.add(&name, own, &rules.server)?;
        self.definitions.insert(name, Arc::new(definition));
        self.warnings.extend(warnings);
        Ok(())
    }

    /// Notes why an entry cannot be used. Services made from it elsewhere stay as locked as they are.
    fn leave_out(&mut self, name: &EntryName, text: &str, rules: &Rules, error: &EntryError) {
        self.problems.insert(name.clone(), error.to_string());
        let (table, name) = name;
        if *table == Table::Services && !matches!(error, EntryError::InFile) {
            self.lock_as(name, text, rules);
        }
    }

    fn retire(&mut self, name: &str, text: &str, rules: &Rules) {
        if self.definitions.contains_key(name) {
            return;
        }
        self.lock_as(name, text, rules);
        let options = read_stored(text);
        let definition = options.and_then(|options| understood(name, options, rules, is_open));
        match definition {
            Ok(definition) => drop(self.retired.insert(name.to_owned(), Arc::new(definition))),
            Err(error) => {
                warn!(name, %error, "a deleted service cannot be read; its sessions stay");
            }
        }
    }

    /// Locks services made from `name` as its entry says; if that cannot be read, to everybody.
    fn lock_as(&mut self, name: &str, text: &str, rules: &Rules) {
        let own = read_stored(text).map(|options| {
            let own = |option| Some(options.get(option)?.text()?.to_owned());
            let own = |option| own(option).filter(|value| !value.is_empty());
            Credentials {
                username: own("username"),
                password: own("password").map(SecretString::from),
            }
        });
        let locked = own.map(|own| self.locks.add(name, &own, &rules.server));
        if !matches!(locked, Ok(Ok(()))) {
            self.locks.seal(name);
        }
    }

    /// Whether it has in it what operators made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.version.is_some()
    }

    /// Which version of what operators made it has in it.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What operators made and cannot be used here, and why.
    pub(super) fn problems(&self) -> &BTreeMap<EntryName, String> {
        &self.problems
    }

    /// Logs the warnings about options that are probably misspelled that `before` did not have.
    pub fn log_new_warnings(&self, before: &Self) {
        let new = || self.warnings.difference(&before.warnings);
        for warning in new().take(MAX_LOGGED_WARNINGS) {
            warn!(warning, "unknown option in the catalog");
        }
        let more = new().skip(MAX_LOGGED_WARNINGS).count();
        if more > 0 {
            warn!(more, "more unknown options in the catalog");
        }
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.locks
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }

    /// The same where a listener serves only `groups`.
    pub(super) fn seen(&self, name: &str, groups: Groups) -> Option<&Arc<Definition>> {
        self.get(name).filter(|definition| {
            if definition.is_for_routing() {
                groups.matching
            } else {
                groups.client
            }
        })
    }

    /// What a service that lives was made from, which may have been deleted since.
    pub(super) fn origin_of(&self, definition: &str) -> Option<&Arc<Definition>> {
        let known = self.definitions.get(definition);
        known.or_else(|| self.retired.get(definition))
    }

    /// Whether another replica, or this one later, may know a definition that this one does not.
    pub(super) fn may_know(&self, definition: &str) -> bool {
        let place = (Table::Services, definition.to_owned());
        !self.is_whole() || self.problems.contains_key(&place)
    }

    /// The resource group of that name.
    pub(super) fn resources(&self, group: &str) -> Option<&Resources> {
        self.pools.get(group)
    }

    /// All resource groups.
    pub(super) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// All resource groups, as a store wants them.
    #[must_use]
    pub fn groups(&self) -> store::Groups {
        store::Groups {
            current: self.pools.groups().cloned().collect(),
            retired: self.pools.retired().to_vec(),
        }
    }

    /// Whether a backend of any of the services is to be reached by TLS.
    #[must_use]
    pub fn needs_tls(&self) -> bool {
        let plans = self.definitions.values().filter_map(|one| one.plan());
        let mut bases = plans.flat_map(Plan::bases);
        bases.any(|base| base.starts_with("https:"))
    }

    /// Names of all configured services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}

/// For how long a deleted entry is kept in mind.
pub(super) fn retired_life(table: Table, rules: &Rules) -> Duration {
    match table {
        Table::Resources => RETIRED_LIFE,
        Table::Services => RETIRED_LIFE + Duration::from_secs(rules.longest_life),
    }
}
