//! The catalog file, before its options are validated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CatalogError;
use crate::{
    model::{EntryName, Table},
    service::options::{Options, option_warnings},
};

/// `[services.<name>]` and `[resources.<group>]` tables of options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    #[serde(default)]
    resources: BTreeMap<String, Options>,
    #[serde(default)]
    services: BTreeMap<String, Options>,
}

impl CatalogFile {
    /// Parses TOML. `origin` is the source of `text` in errors.
    ///
    /// # Errors
    /// [`CatalogError::Unreadable`] with line and column.
    pub fn parse(origin: &str, text: &str) -> Result<Self, CatalogError> {
        toml::from_str(text).map_err(|error| CatalogError::Unreadable {
            origin: origin.to_owned(),
            reason: describe_parse_error(text, &error),
        })
    }

    /// Serializes the catalog as TOML.
    ///
    /// # Errors
    /// A value cannot be serialized.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The entries of a table.
    #[must_use]
    pub fn table(&self, table: Table) -> &BTreeMap<String, Options> {
        match table {
            Table::Resources => &self.resources,
            Table::Services => &self.services,
        }
    }

    /// The options of an entry.
    #[must_use]
    pub fn get(&self, (table, name): &EntryName) -> Option<&Options> {
        self.table(*table).get(name)
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, (table, name): EntryName, options: Options) {
        let entries = match table {
            Table::Resources => &mut self.resources,
            Table::Services => &mut self.services,
        };
        entries.insert(name, options);
    }

    /// Warnings about options that are probably misspelled.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let entries = self.entries();
        let warnings = entries.flat_map(|(name, options)| option_warnings(&name, options));
        warnings.collect()
    }

    /// All entries; resource groups first.
    pub fn entries(&self) -> impl Iterator<Item = (EntryName, &Options)> {
        Table::ALL.into_iter().flat_map(|table| {
            let entries = self.table(table).iter();
            entries.map(move |(name, options)| ((table, name.clone()), options))
        })
    }
}

/// The message and location of a parse error. The line is omitted, because it can contain a password.
fn describe_parse_error(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message.to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!("line {line}, column {column}: {message}")
}
