//! One entry of a catalogue: from its options to what they mean.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{CatalogContext, Variables};
use crate::{
    service::{
        definition::{Definition, DefinitionError},
        options::{OptionValue, Options, is_option_name},
        resource_groups::ResourceGroups,
    },
    store::{EntryName, Table},
};

/// Options that an entry may have. Its page has fields for each of them.
pub const MAX_OPTIONS: usize = 5_000;
/// What variables must begin with that operators may name: all others are none of their business.
const ALLOWED_VARIABLE_PREFIX: &str = "SWITCHBOARD_HEADER_";

/// What is wrong with an entry.
#[derive(Debug, Error)]
pub enum EntryError {
    /// The name cannot stand in a path, or in a key of the store.
    #[error("{} {:?}: {}", table_label(*.0), .1, allowed_names(*.0))]
    InvalidName(Table, String),
    /// More options than anybody can look at.
    #[error("{} {:?}: has {} options, {MAX_OPTIONS} are allowed", table_label(*.0), .1, .2)]
    TooManyOptions(Table, String, usize),
    /// An option is called what no option may be called.
    #[error(
        "{} {:?}, option {:?}: the name of an option has at least one character, and no control characters",
        table_label(*.0), .1, .2
    )]
    InvalidOptionName(Table, String, String),
    /// An option is wrong.
    #[error(transparent)]
    InvalidOption(#[from] DefinitionError),
    /// It is written in a way that is not understood here.
    #[error("cannot be read by this version of the service: {0}")]
    Unreadable(String),
    /// The file has an entry of that name too.
    #[error("is defined by the catalogue file as well, which counts")]
    DefinedInFile,
}

/// The options in an entry of the store.
pub(in crate::service) fn parse_stored_options(text: &str) -> Result<Options, EntryError> {
    serde_json::from_str(text).map_err(|error| EntryError::Unreadable(error.to_string()))
}

pub(super) fn is_allowed_variable(variable: &str) -> bool {
    variable.starts_with(ALLOWED_VARIABLE_PREFIX)
}

pub(super) fn parse_definition(
    name: &str,
    options: Options,
    rules: &CatalogContext,
    may_name: fn(&str) -> bool,
) -> Result<Definition, EntryError> {
    let mut texts = BTreeMap::new();
    for (option, value) in options {
        let OptionValue::Text(text) = value else {
            let problem = "expected a string".to_owned();
            return Err(option_error(name, &option, problem).into());
        };
        texts.insert(option, text);
    }
    expand_variables(name, &mut texts, &*rules.variables, may_name)?;
    Ok(Definition::new(name, texts, rules.max_ttl_seconds)?)
}

fn option_error(service: &str, option: &str, problem: String) -> DefinitionError {
    DefinitionError {
        kind: "service",
        name: service.to_owned(),
        option: option.to_owned(),
        problem,
    }
}

/// Puts secrets into the values of headers, and nowhere else: a header is never told to anybody.
fn expand_variables(
    service: &str,
    options: &mut BTreeMap<String, String>,
    variables: &Variables,
    may_name: fn(&str) -> bool,
) -> Result<(), DefinitionError> {
    for (option, value) in options {
        if !option.starts_with("_header.") {
            continue;
        }
        let mut expanded = String::new();
        let mut left = value.as_str();
        while let Some((before, after)) = left.split_once("${") {
            let problem = |problem| option_error(service, option, problem);
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| problem("a ${ has no }".to_owned()))?;
            if !may_name(name) {
                let only = format!(
                    "only variables that begin with {ALLOWED_VARIABLE_PREFIX} may be named"
                );
                return Err(problem(only));
            }
            let variable = variables(name).filter(|value| !value.is_empty());
            let unset = || problem(format!("the environment variable {name:?} is not set"));
            expanded.push_str(before);
            expanded.push_str(&variable.ok_or_else(unset)?);
            left = after;
        }
        expanded.push_str(left);
        *value = expanded;
    }
    Ok(())
}

/// A group that a definition names must be there.
pub(super) fn check_group(
    definition: &Definition,
    pools: &ResourceGroups,
) -> Result<(), DefinitionError> {
    match definition.option("_resource_group") {
        Some(group) if pools.get(group).is_none() => {
            let known = pools.names();
            let problem = format!("is {group:?}, expected a resource group: {known}");
            Err(definition.option_error("_resource_group", problem))
        }
        _ => Ok(()),
    }
}

/// Looks at what is the same for entries of all kinds.
pub(super) fn check_shape((table, name): &EntryName, options: &Options) -> Result<(), EntryError> {
    let (most, never) = name_rules(*table);
    let length = (1..=most).contains(&name.len());
    // Browsers and proxies take these two out of a path, so that nobody could ask for it.
    let segment = name != "." && name != "..";
    if !length || !segment || name.chars().any(|c| never.contains(&c) || c.is_control()) {
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

/// Bytes that a name may have, and what is in none.
fn name_rules(table: Table) -> (usize, &'static [char]) {
    match table {
        // It is one segment of a path.
        Table::Services => (128, &['/']),
        // It is what keys of a Redis Cluster are placed by.
        Table::Resources => (64, &['{', '}']),
    }
}

fn allowed_names(table: Table) -> String {
    let (most, never) = name_rules(table);
    let never: Vec<_> = never.iter().map(|never| format!("{never:?}")).collect();
    format!(
        "a name has 1 to {most} bytes without {} and control characters, and is not \".\" or \"..\"",
        never.join(", ")
    )
}

/// What an entry of a table is, for people.
pub(in crate::service) fn table_label(table: Table) -> &'static str {
    match table {
        Table::Services => "service",
        Table::Resources => "resource group",
    }
}
