//! The stored entries of a catalog, the current and the deleted ones.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use secrecy::SecretString;
use tracing::warn;

use super::{
    Catalog, CatalogContext,
    entry::{
        EntryError, expand_variables, is_allowed_variable, parse_definition, parse_stored_options,
    },
};
use crate::{
    model::{EntryName, StoredCatalog, Table, Timestamp},
    service::{
        access_policy::AccessPolicy, definition::DefinitionError,
        resource_groups::parse_group_webhook,
    },
    settings::Credentials,
};

/// [`AccessPolicy::add`] or [`AccessPolicy::add_retired`].
type AddToPolicy =
    fn(&mut AccessPolicy, &str, &Credentials, &Credentials) -> Result<(), DefinitionError>;

/// How long a deleted entry is retained. Numbers are booked for half an hour at most. For services this is added to
/// the maximum TTL.
const RETIRED_TTL: Duration = Duration::from_secs(3_600);

impl Catalog {
    /// Adds the stored entries to this catalog, that of the file. Unusable entries are skipped and listed as
    /// problems. Entries in `last` are those that are being changed: of two conflicting entries, one of them is skipped, and
    /// only they are rejected because of `webhooks.allow_http`. Retired entries are included until they expire
    /// after `now`.
    #[must_use]
    pub fn with_stored(
        &self,
        stored: &StoredCatalog,
        last: &BTreeSet<EntryName>,
        context: &CatalogContext,
        now: Timestamp,
    ) -> Self {
        let mut catalog = self.clone();
        catalog.version = Some(stored.version.clone());
        let entries = stored.entries.iter();
        let (last, first): (Vec<_>, Vec<_>) = entries.partition(|(name, _)| last.contains(*name));
        // Other entries than those that are being changed remain usable when the setting is changed; events are not
        // sent to their URLs.
        let unchanged = context.with_http_webhooks();
        for table in Table::ALL {
            let first = first.iter().map(|entry| (entry, &unchanged));
            let table_entries = first
                .chain(last.iter().map(|entry| (entry, context)))
                .filter(|((name, _), _)| name.0 == table);
            for ((name, entry), context) in table_entries {
                let added = catalog.add_stored(name, &entry.text, context);
                added.unwrap_or_else(|error| catalog.skip_entry(name, &entry.text, context, error));
            }
        }
        for ((table, name), entry) in &stored.retired {
            match table {
                _ if now > entry.since.after(retired_ttl(*table, context)) => {}
                Table::Resources => catalog.retire_group(name, &entry.text, &unchanged),
                Table::Services => catalog.retire(name, &entry.text, &unchanged),
            }
        }
        catalog
    }

    fn add_stored(
        &mut self,
        name: &EntryName,
        text: &str,
        context: &CatalogContext,
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
        self.add_entry(name.clone(), options, context, is_allowed_variable)
    }

    /// Records why an entry is unusable. Services that other replicas made from it remain protected by its
    /// credentials.
    fn skip_entry(
        &mut self,
        name: &EntryName,
        text: &str,
        context: &CatalogContext,
        error: EntryError,
    ) {
        if name.0 == Table::Services && error != EntryError::DefinedInFile {
            self.restrict_access(&name.1, text, context, AccessPolicy::add);
        }
        self.problems.insert(name.clone(), error);
    }

    fn retire(&mut self, name: &str, text: &str, context: &CatalogContext) {
        if self.definitions.contains_key(name) {
            return;
        }
        self.restrict_access(name, text, context, AccessPolicy::add_retired);
        let options = parse_stored_options(text);
        let definition = options
            .and_then(|options| parse_definition(name, options, context, is_allowed_variable));
        match definition {
            Ok(definition) => drop(self.retired.insert(name.to_owned(), Arc::new(definition))),
            Err(error) => {
                warn!(name, %error, "deleted service definition unreadable; its backend sessions are not terminated");
            }
        }
    }

    /// Adds a deleted group. The events of the bookings that remain are delivered to its webhook.
    fn retire_group(&mut self, name: &str, text: &str, context: &CatalogContext) {
        let webhook = parse_stored_options(text).and_then(|options| {
            let allowed = is_allowed_variable;
            let options = expand_variables(Table::Resources, name, options, context, allowed)?;
            Ok(parse_group_webhook(name, options, context)?)
        });
        let webhook = webhook.unwrap_or_else(|error| {
            warn!(name, %error, "webhook of a deleted resource group unreadable; its events are not delivered");
            None
        });
        self.pools.retire(name, webhook);
    }

    /// Protects services made from `name` with the credentials of its entry, which `add` adds. If they cannot be parsed,
    /// access is denied to all.
    fn restrict_access(
        &mut self,
        name: &str,
        text: &str,
        context: &CatalogContext,
        add: AddToPolicy,
    ) {
        let own = parse_stored_options(text).map(|options| {
            let own = |option| Some(options.get(option)?.text()?.to_owned());
            let own = |option| own(option).filter(|value| !value.is_empty());
            Credentials {
                username: own("username"),
                password: own("password").map(SecretString::from),
            }
        });
        let policy = &mut self.access_policy;
        let added = own.map(|own| add(policy, name, &own, &context.default_credentials));
        if !matches!(added, Ok(Ok(()))) {
            self.access_policy.deny_all(name);
        }
    }
}

/// How long a deleted entry is retained.
pub(in crate::service) fn retired_ttl(table: Table, context: &CatalogContext) -> Duration {
    match table {
        Table::Resources => RETIRED_TTL,
        Table::Services => RETIRED_TTL + Duration::from_secs(context.max_ttl_seconds),
    }
}
