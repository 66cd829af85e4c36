//! The catalog: configured services and resource groups of the catalog file, and the stored entries, which operators
//! create at run time.
//!
//! Both are validated by the same rules. An invalid catalog file prevents the start. Stored entries were valid when
//! they were written, but a replica with another version or another catalog file can find some of them invalid. It
//! skips these entries and logs a warning for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use thiserror::Error;
use tracing::warn;

use self::entry::{check_group, check_shape, expand_variables, parse_definition};
pub(super) use self::entry::{parse_stored_options, table_label};
use self::lost::LostCatalog;
pub(super) use self::stored::retired_ttl;
pub use self::{
    context::{CatalogContext, Variables},
    current::CurrentCatalog,
    entry::{EntryError, MAX_OPTIONS},
    example_command::shell_quote,
    file::CatalogFile,
    reloader::CatalogReloader,
};
use super::{
    access_policy::AccessPolicy,
    definition::Definition,
    options::{Options, option_warnings},
    resource_groups::{ResourceGroup, ResourceGroups},
    webhooks::WebhookConfig,
};
use crate::{
    backend::BackendDefinition,
    model::{EntryName, Groups, Table, webhook::WebhookEndpoint},
    settings::RouteGroups,
};

mod context;
mod current;
mod entry;
mod example_command;
mod file;
mod lost;
mod reloader;
mod stored;
#[cfg(test)]
mod tests;

/// Maximum number of unknown options that are logged when a catalog takes effect.
const MAX_LOGGED_WARNINGS: usize = 100;

/// An error in a catalog.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// It is not valid TOML, or not of the form `[services.<name>]`.
    #[error("{origin}: {reason}")]
    Unreadable {
        /// The origin of the text.
        origin: String,
        /// The problem, with line and column.
        reason: String,
    },
    /// An entry is invalid.
    #[error("{origin}: {error}")]
    Entry {
        /// The origin of the text.
        origin: String,
        /// The problem, with the name of the entry.
        error: EntryError,
    },
}

/// All parsed configured services and resource groups.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    definitions: BTreeMap<String, Arc<Definition>>,
    /// Deleted definitions, of which active services may exist.
    retired: BTreeMap<String, Arc<Definition>>,
    pools: ResourceGroups,
    access_policy: AccessPolicy,
    /// Stored entries that are unusable on this replica, with the reason.
    problems: BTreeMap<EntryName, EntryError>,
    /// Options that are probably misspelled.
    warnings: BTreeSet<String>,
    /// The version of the included stored catalog; `None` if none has been read yet.
    version: Option<String>,
}

impl Catalog {
    /// Parses a catalog file.
    ///
    /// # Errors
    /// A [`CatalogError`] with the entry, the option and the expected form.
    pub fn from_file(
        origin: &str,
        file: &CatalogFile,
        context: &CatalogContext,
    ) -> Result<Self, CatalogError> {
        let mut catalog = Self {
            access_policy: AccessPolicy::new(&context.default_credentials),
            ..Self::default()
        };
        for (name, options) in file.entries() {
            let added = catalog.add_entry(name, options.clone(), context, |_| true);
            added.map_err(|error| CatalogError::Entry {
                origin: origin.to_owned(),
                error,
            })?;
        }
        Ok(catalog)
    }

    fn add_entry(
        &mut self,
        entry: EntryName,
        options: Options,
        context: &CatalogContext,
        is_allowed_variable_name: fn(&str) -> bool,
    ) -> Result<(), EntryError> {
        check_shape(&entry, &options)?;
        let warnings = option_warnings(&entry, &options);
        let (table, name) = entry;
        if table == Table::Resources {
            let options =
                expand_variables(table, &name, options, context, is_allowed_variable_name)?;
            return Ok(self.pools.add(&name, options, context)?);
        }
        let definition = parse_definition(&name, options, context, is_allowed_variable_name)?;
        check_group(&definition, &self.pools)?;
        let own = definition.credentials();
        self.access_policy
            .add(&name, own, &context.default_credentials)?;
        self.definitions.insert(name, Arc::new(definition));
        self.warnings.extend(warnings);
        Ok(())
    }

    /// Whether it includes the stored catalog.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.version.is_some()
    }

    /// The version of the included stored catalog.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Stored entries that are unusable on this replica, with the reason.
    pub(super) fn problems(&self) -> &BTreeMap<EntryName, EntryError> {
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

    /// Whether a service requires credentials, or this is still unknown.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        !self.is_complete() || !self.access_policy().is_empty()
    }

    pub(super) fn access_policy(&self) -> &AccessPolicy {
        &self.access_policy
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }

    /// As [`Catalog::get`], for a listener that serves only `groups`.
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

    /// The definition of an active service, which may be deleted.
    pub(super) fn get_or_retired(&self, definition: &str) -> Option<&Arc<Definition>> {
        let found = self.definitions.get(definition);
        found.or_else(|| self.retired.get(definition))
    }

    /// Whether another replica, or this one later, may have a definition that is missing here.
    pub(super) fn may_exist_elsewhere(&self, definition: &str) -> bool {
        let name = (Table::Services, definition.to_owned());
        !self.is_complete() || self.problems.contains_key(&name)
    }

    /// The resource group with this name.
    pub(super) fn resource_group(&self, group: &str) -> Option<&ResourceGroup> {
        self.pools.get(group)
    }

    /// All resource groups.
    pub(super) fn resource_groups(&self) -> &ResourceGroups {
        &self.pools
    }

    /// All resource groups, for the store.
    #[must_use]
    pub fn groups(&self) -> Groups {
        Groups {
            current: self.pools.groups().cloned().collect(),
            retired: self.pools.retired().to_vec(),
        }
    }

    /// All webhooks, also those of deleted entries of which services may be active or numbers booked.
    pub(super) fn webhooks(&self) -> BTreeMap<WebhookEndpoint, Arc<WebhookConfig>> {
        let definitions = self.retired.iter().chain(&self.definitions);
        let definitions = definitions.filter_map(|(name, definition)| {
            let webhook = definition.webhook()?;
            Some((WebhookEndpoint::of_definition(name), Arc::clone(webhook)))
        });
        let groups = self.pools.webhooks();
        let groups =
            groups.map(|(name, webhook)| (WebhookEndpoint::of_group(name), Arc::clone(webhook)));
        definitions.chain(groups).collect()
    }

    /// Whether any backend uses TLS.
    #[must_use]
    pub fn needs_tls(&self) -> bool {
        let backends = self
            .definitions
            .values()
            .filter_map(|definition| definition.backend());
        let mut bases = backends.flat_map(BackendDefinition::base_urls);
        bases.any(|base| base.starts_with("https:"))
    }

    /// Names of all configured services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}
