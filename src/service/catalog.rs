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

use self::entry::{check_group, check_shape, is_allowed_variable, parse_definition};
pub(super) use self::entry::{parse_stored_options, table_label};
use self::lost::LostCatalog;
pub use self::{
    current::CurrentCatalog,
    entry::{EntryError, MAX_OPTIONS},
    file::CatalogFile,
    reloader::CatalogReloader,
};
use super::{
    auth::AccessPolicy,
    backend::BackendDefinition,
    definition::Definition,
    options::Options,
    phone_numbers::PhoneNumbers,
    resource_groups::{ResourceGroup, ResourceGroups},
    schema::option_warnings,
};
use crate::{
    settings::{Credentials, RouteGroups},
    store::{self, EntryName, StoredCatalog, Table, Timestamp},
};

mod current;
mod entry;
mod example_command;
mod file;
mod lost;
mod reloader;
#[cfg(test)]
mod tests;

/// For how long it is kept in mind what was deleted: numbers of a group are held for half an hour at most,
/// and services for as long as they may live, and then this long.
const RETIRED_TTL: Duration = Duration::from_secs(3_600);
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
pub struct CatalogContext {
    /// Seconds that a service may live.
    pub max_ttl_seconds: u64,
    /// How numbers are compared.
    pub phone_numbers: PhoneNumbers,
    /// What counts for services that do not say otherwise.
    pub default_credentials: Credentials,
    /// Where `${NAME}` in the value of a `_header.` option comes from.
    pub variables: Arc<Variables>,
}

impl fmt::Debug for CatalogContext {
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
    pools: ResourceGroups,
    access_policy: AccessPolicy,
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
    pub fn from_file(
        origin: &str,
        draft: &CatalogFile,
        rules: &CatalogContext,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self {
            access_policy: AccessPolicy::new(&rules.default_credentials),
            ..Self::default()
        };
        for (name, options) in draft.entries() {
            let added = catalog.add_entry(name, options.clone(), rules, |_| true);
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
    pub fn with_stored(
        &self,
        stored: &StoredCatalog,
        last: &BTreeSet<EntryName>,
        rules: &CatalogContext,
        now: Timestamp,
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
                added.unwrap_or_else(|error| catalog.skip_entry(name, &entry.text, rules, &error));
            }
        }
        for ((table, name), entry) in &stored.retired {
            match table {
                _ if now > entry.since.after(retired_ttl(*table, rules)) => {}
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
        rules: &CatalogContext,
    ) -> Result<(), EntryError> {
        let options = parse_stored_options(text)?;
        let (table, key) = name;
        let in_file = match table {
            Table::Services => self.definitions.contains_key(key),
            Table::Resources => self.pools.get(key).is_some(),
        };
        if in_file {
            return Err(EntryError::DefinedInFile);
        }
        self.add_entry(name.clone(), options, rules, is_allowed_variable)
    }

    fn add_entry(
        &mut self,
        entry: EntryName,
        options: Options,
        rules: &CatalogContext,
        may_name: fn(&str) -> bool,
    ) -> Result<(), EntryError> {
        check_shape(&entry, &options)?;
        let warnings = option_warnings(&entry, &options);
        let (table, name) = entry;
        if table == Table::Resources {
            return Ok(self.pools.add(&name, options, rules.phone_numbers)?);
        }
        let definition = parse_definition(&name, options, rules, may_name)?;
        check_group(&definition, &self.pools)?;
        let own = definition.credentials();
        self.access_policy
            .add(&name, own, &rules.default_credentials)?;
        self.definitions.insert(name, Arc::new(definition));
        self.warnings.extend(warnings);
        Ok(())
    }

    /// Notes why an entry cannot be used. Services made from it elsewhere stay as locked as they are.
    fn skip_entry(
        &mut self,
        name: &EntryName,
        text: &str,
        rules: &CatalogContext,
        error: &EntryError,
    ) {
        self.problems.insert(name.clone(), error.to_string());
        let (table, name) = name;
        if *table == Table::Services && !matches!(error, EntryError::DefinedInFile) {
            self.restrict_access(name, text, rules);
        }
    }

    fn retire(&mut self, name: &str, text: &str, rules: &CatalogContext) {
        if self.definitions.contains_key(name) {
            return;
        }
        self.restrict_access(name, text, rules);
        let options = parse_stored_options(text);
        let definition =
            options.and_then(|options| parse_definition(name, options, rules, is_allowed_variable));
        match definition {
            Ok(definition) => drop(self.retired.insert(name.to_owned(), Arc::new(definition))),
            Err(error) => {
                warn!(name, %error, "a deleted service cannot be read; its sessions stay");
            }
        }
    }

    /// Locks services made from `name` as its entry says; if that cannot be read, to everybody.
    fn restrict_access(&mut self, name: &str, text: &str, rules: &CatalogContext) {
        let own = parse_stored_options(text).map(|options| {
            let own = |option| Some(options.get(option)?.text()?.to_owned());
            let own = |option| own(option).filter(|value| !value.is_empty());
            Credentials {
                username: own("username"),
                password: own("password").map(SecretString::from),
            }
        });
        let locked = own.map(|own| {
            self.access_policy
                .add(name, &own, &rules.default_credentials)
        });
        if !matches!(locked, Ok(Ok(()))) {
            self.access_policy.deny_all(name);
        }
    }

    /// Whether it has in it what operators made.
    #[must_use]
    pub fn is_complete(&self) -> bool {
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

    pub(super) fn access_policy(&self) -> &AccessPolicy {
        &self.access_policy
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }

    /// The same where a listener serves only `groups`.
    pub(super) fn get_for_route_groups(
        &self,
        name: &str,
        groups: RouteGroups,
    ) -> Option<&Arc<Definition>> {
        self.get(name).filter(|definition| {
            if definition.is_for_routing() {
                groups.matching
            } else {
                groups.client
            }
        })
    }

    /// What a service that lives was made from, which may have been deleted since.
    pub(super) fn get_or_retired(&self, definition: &str) -> Option<&Arc<Definition>> {
        let known = self.definitions.get(definition);
        known.or_else(|| self.retired.get(definition))
    }

    /// Whether another replica, or this one later, may know a definition that this one does not.
    pub(super) fn may_exist_elsewhere(&self, definition: &str) -> bool {
        let place = (Table::Services, definition.to_owned());
        !self.is_complete() || self.problems.contains_key(&place)
    }

    /// The resource group of that name.
    pub(super) fn resource_group(&self, group: &str) -> Option<&ResourceGroup> {
        self.pools.get(group)
    }

    /// All resource groups.
    pub(super) fn resource_groups(&self) -> &ResourceGroups {
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
        let plans = self.definitions.values().filter_map(|one| one.backend());
        let mut bases = plans.flat_map(BackendDefinition::base_urls);
        bases.any(|base| base.starts_with("https:"))
    }

    /// Names of all configured services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}

/// For how long a deleted entry is kept in mind.
pub(super) fn retired_ttl(table: Table, rules: &CatalogContext) -> Duration {
    match table {
        Table::Resources => RETIRED_TTL,
        Table::Services => RETIRED_TTL + Duration::from_secs(rules.max_ttl_seconds),
    }
}
