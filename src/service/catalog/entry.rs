//! Parses and validates one entry of a catalog.

use std::collections::BTreeMap;

use thiserror::Error;

use super::CatalogContext;
use crate::{
    model::{EntryName, STORAGE_AREA, Table},
    service::{
        definition::{Definition, DefinitionError},
        options::{OptionValue, Options, is_option_name},
        resource_groups::ResourceGroups,
        webhooks::SECRET_OPTION,
    },
};

/// Maximum number of options of an entry. Its page in the console has fields for each of them.
pub const MAX_OPTIONS: usize = 5_000;
/// The prefix of environment variables that stored entries can use. All others are not accessible to operators.
const ALLOWED_VARIABLE_PREFIX: &str = "SWITCHBOARD_HEADER_";

/// An error in an entry.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum EntryError {
    /// The name is invalid in a path or in a key of the store.
    #[error("{} {:?}: {}", table_label(*.0), .1, allowed_names(*.0))]
    InvalidName(Table, String),
    /// The entry has too many options.
    #[error("{} {:?}: has {} options, the maximum is {MAX_OPTIONS}", table_label(*.0), .1, .2)]
    TooManyOptions(Table, String, usize),
    /// The name of an option is invalid.
    #[error(
        "{} {:?}, option {:?}: the name of an option must have at least one character and no control characters",
        table_label(*.0), .1, .2
    )]
    InvalidOptionName(Table, String, String),
    /// The value of an option is invalid.
    #[error(transparent)]
    InvalidOption(#[from] DefinitionError),
    /// The stored text cannot be parsed by this version.
    #[error("is not readable by this version: {0}")]
    Unreadable(String),
    /// The catalog file defines an entry with the same name.
    #[error("is also defined in the catalog file, which takes precedence")]
    DefinedInFile,
}

impl EntryError {
    /// The invalid option; `None` if the error is about the whole entry.
    #[must_use]
    pub fn option(&self) -> Option<&str> {
        match self {
            Self::InvalidOption(error) => Some(&error.option),
            Self::InvalidOptionName(_, _, option) => Some(option),
            Self::InvalidName(..)
            | Self::TooManyOptions(..)
            | Self::Unreadable(_)
            | Self::DefinedInFile => None,
        }
    }
}

/// Parses the options of a stored entry.
pub(in crate::service) fn parse_stored_options(text: &str) -> Result<Options, EntryError> {
    serde_json::from_str(text).map_err(|error| EntryError::Unreadable(error.to_string()))
}

pub(super) fn is_allowed_variable(variable: &str) -> bool {
    variable.starts_with(ALLOWED_VARIABLE_PREFIX)
}

pub(super) fn parse_definition(
    name: &str,
    options: Options,
    context: &CatalogContext,
    is_allowed: fn(&str) -> bool,
) -> Result<Definition, EntryError> {
    let options = expand_variables(Table::Services, name, options, context, is_allowed)?;
    let mut texts = BTreeMap::new();
    for (option, value) in options {
        let OptionValue::Text(text) = value else {
            let problem = "expected a string".to_owned();
            return Err(option_error(Table::Services, name, &option, problem).into());
        };
        texts.insert(option, text);
    }
    let (max_ttl_seconds, webhooks) = (context.max_ttl_seconds, context.webhooks);
    Ok(Definition::new(name, texts, max_ttl_seconds, webhooks)?)
}

fn option_error(table: Table, name: &str, option: &str, problem: String) -> DefinitionError {
    DefinitionError {
        kind: table_label(table),
        name: name.to_owned(),
        option: option.to_owned(),
        problem,
    }
}

/// Expands variables in values of headers and in secrets of webhooks only, because they are never returned.
pub(super) fn expand_variables(
    table: Table,
    entry: &str,
    mut options: Options,
    context: &CatalogContext,
    is_allowed: fn(&str) -> bool,
) -> Result<Options, DefinitionError> {
    for (option, value) in &mut options {
        let OptionValue::Text(value) = value else {
            continue;
        };
        if !option.starts_with("_header.") && option != SECRET_OPTION {
            continue;
        }
        let mut expanded = String::new();
        let mut remaining = value.as_str();
        while let Some((before, after)) = remaining.split_once("${") {
            let problem = |problem| option_error(table, entry, option, problem);
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| problem("unbalanced ${".to_owned()))?;
            if !is_allowed(name) {
                let message =
                    format!("only variables that begin with {ALLOWED_VARIABLE_PREFIX} are allowed");
                return Err(problem(message));
            }
            let variable = (context.variables)(name).filter(|value| !value.is_empty());
            let unset = || problem(format!("the environment variable {name:?} is not set"));
            expanded.push_str(before);
            expanded.push_str(&variable.ok_or_else(unset)?);
            remaining = after;
        }
        expanded.push_str(remaining);
        *value = expanded;
    }
    Ok(options)
}

/// Checks that the group of a definition exists.
pub(super) fn check_group(
    definition: &Definition,
    pools: &ResourceGroups,
) -> Result<(), DefinitionError> {
    match definition.option("_resource_group") {
        Some(group) if pools.get(group).is_none() => {
            let names = pools.names();
            let problem = format!("is {group:?}, expected a resource group: {names}");
            Err(definition.option_error("_resource_group", problem))
        }
        _ => Ok(()),
    }
}

/// Checks the name, the number of options and their names.
pub(super) fn check_shape((table, name): &EntryName, options: &Options) -> Result<(), EntryError> {
    let (max_bytes, forbidden) = name_rules(*table);
    let is_length_valid = (1..=max_bytes).contains(&name.len());
    // Clients and proxies remove these two from a path, so the entry would be unreachable.
    let is_segment = name != "." && name != "..";
    let is_reserved = *table == Table::Services && name == STORAGE_AREA;
    if !is_length_valid
        || !is_segment
        || is_reserved
        || name
            .chars()
            .any(|c| forbidden.contains(&c) || c.is_control())
    {
        return Err(EntryError::InvalidName(*table, name.clone()));
    }
    if options.len() > MAX_OPTIONS {
        return Err(EntryError::TooManyOptions(
            *table,
            name.clone(),
            options.len(),
        ));
    }
    if let Some(option) = options.keys().find(|option| !is_option_name(option)) {
        return Err(EntryError::InvalidOptionName(
            *table,
            name.clone(),
            option.clone(),
        ));
    }
    Ok(())
}

/// The maximum length of a name in bytes, and forbidden characters.
fn name_rules(table: Table) -> (usize, &'static [char]) {
    match table {
        // The name is a path segment.
        Table::Services => (128, &['/']),
        // The name is the hash tag of keys in a Redis Cluster.
        Table::Resources => (64, &['{', '}']),
    }
}

fn allowed_names(table: Table) -> String {
    let (max_bytes, forbidden) = name_rules(table);
    let reserved = match table {
        Table::Services => "\".\" or \"..\" or the reserved \"_storage\"",
        Table::Resources => "\".\" or \"..\"",
    };
    let forbidden: Vec<_> = forbidden
        .iter()
        .map(|forbidden| format!("{forbidden:?}"))
        .collect();
    format!(
        "a name must have 1 to {max_bytes} bytes without {} and control characters, and must not be {reserved}",
        forbidden.join(", ")
    )
}

/// The kind of the entries of a table, for messages.
pub(in crate::service) fn table_label(table: Table) -> &'static str {
    match table {
        Table::Services => "service",
        Table::Resources => "resource group",
    }
}
