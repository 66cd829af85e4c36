//! The configured services and resource groups, from a TOML file.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use thiserror::Error;
use toml::Value;

use super::{
    backend::Plan,
    definition::{Definition, DefinitionError},
    locks::Locks,
    resources::{Pools, Resources},
    subscriber::Numbering,
};
use crate::{
    settings::{Credentials, Groups},
    store::Group,
};

/// Longest name of a configured service, in bytes.
const MAX_NAME_BYTES: usize = 128;

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
    /// A definition is wrong.
    #[error("{origin}: {error}")]
    Definition {
        /// Where the text came from.
        origin: String,
        /// Which service and option.
        error: DefinitionError,
    },
}

/// Where `${NAME}` comes from.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// All configured services by name.
#[derive(Debug, Default)]
pub struct Catalog {
    definitions: BTreeMap<String, Arc<Definition>>,
    pools: Pools,
    locks: Arc<Locks>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    services: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(default)]
    resources: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Catalog {
    /// Reads `[services.<name>]` and `[resources.<group>]` tables of options. Values are taken as
    /// strings, however they are written; numbers are compared by `numbering`. `origin` tells in errors
    /// where `text` came from; `longest_life` is in seconds. `${NAME}` in the value of a `_header.`
    /// option is what `variables` say.
    ///
    /// # Errors
    /// A [`CatalogError`] that names service, option and what was expected.
    pub fn read(
        origin: &str,
        text: &str,
        longest_life: u64,
        numbering: Numbering,
        variables: &Variables<'_>,
    ) -> Result<Self, CatalogError> {
        let unreadable = |reason: String| CatalogError::Unreadable {
            origin: origin.to_owned(),
            reason,
        };
        let file: File = toml::from_str(text).map_err(|error| unreadable(told(text, &error)))?;
        let wrong = |error| CatalogError::Definition {
            origin: origin.to_owned(),
            error,
        };
        let mut pools = Pools::default();
        for (name, table) in file.resources {
            pools.add(&name, table, numbering).map_err(wrong)?;
        }
        let mut definitions = BTreeMap::new();
        for (name, table) in file.services {
            if !is_usable(&name) {
                return Err(unreadable(format!(
                    "service {name:?}: a name has 1 to {MAX_NAME_BYTES} bytes and neither '/' nor \
                     control characters, and is not \".\" or \"..\""
                )));
            }
            let mut options = BTreeMap::new();
            for (option, value) in table {
                let text = as_string(value).ok_or_else(|| {
                    unreadable(format!(
                        "service {name:?}, option {option}: expected a string"
                    ))
                })?;
                options.insert(option, text);
            }
            expand(&name, &mut options, variables).map_err(wrong)?;
            let definition = Definition::new(&name, options, longest_life).map_err(wrong)?;
            check_group(&definition, &pools).map_err(wrong)?;
            definitions.insert(name, Arc::new(definition));
        }
        Ok(Self {
            definitions,
            pools,
            locks: Arc::default(),
        })
    }

    /// The same with its services locked: each by what it says, else by what `server` says.
    ///
    /// # Errors
    /// A [`CatalogError`] for a service that would have a user name and no password.
    pub fn locked(mut self, origin: &str, server: &Credentials) -> Result<Self, CatalogError> {
        let all = self.definitions.values();
        let all = all.map(|definition| (definition.name(), definition.credentials()));
        let locks = Locks::of(all, server).map_err(|error| CatalogError::Definition {
            origin: origin.to_owned(),
            error,
        })?;
        self.locks = Arc::new(locks);
        Ok(self)
    }

    /// What of it a listener serves that serves `groups`. Services that exist keep their locks.
    #[must_use]
    pub fn seen_by(&self, groups: Groups) -> Self {
        let is_seen = |definition: &Definition| {
            if definition.is_for_routing() {
                groups.matching
            } else {
                groups.client
            }
        };
        let mut definitions = self.definitions.clone();
        definitions.retain(|_, definition| is_seen(definition));
        Self {
            definitions,
            pools: self.pools.clone(),
            locks: Arc::clone(&self.locks),
        }
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.locks
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
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
    pub fn groups(&self) -> Vec<Arc<Group>> {
        self.pools.groups().cloned().collect()
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

/// What is wrong, and where. The line itself stays untold: a password may stand in it.
fn told(text: &str, error: &toml::de::Error) -> String {
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

/// Puts secrets into the values of headers, and nowhere else: a header is never told to anybody.
fn expand(
    service: &str,
    options: &mut BTreeMap<String, String>,
    variables: &Variables<'_>,
) -> Result<(), DefinitionError> {
    for (option, value) in options {
        if !option.starts_with("_header.") {
            continue;
        }
        let mut expanded = String::new();
        let mut left = value.as_str();
        while let Some((before, after)) = left.split_once("${") {
            let problem = |problem: String| DefinitionError {
                kind: "service",
                name: service.to_owned(),
                option: option.clone(),
                problem,
            };
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| problem("a ${ has no }".to_owned()))?;
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
fn check_group(definition: &Definition, pools: &Pools) -> Result<(), DefinitionError> {
    match definition.option("_resource_group") {
        Some(group) if pools.get(group).is_none() => {
            let known = pools.names();
            let problem = format!("is {group:?}, expected a resource group: {known}");
            Err(definition.fault("_resource_group", problem))
        }
        _ => Ok(()),
    }
}

fn is_usable(name: &str) -> bool {
    let length = (1..=MAX_NAME_BYTES).contains(&name.len());
    let segment = name != "." && name != "..";
    length && segment && !name.chars().any(|c| c == '/' || c.is_control())
}

pub(super) fn as_string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Catalog, String> {
        let us = Numbering::of(phonenumber::country::US);
        let variables = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        Catalog::read("test.toml", text, 3_600, us, &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn the_shipped_catalogue_has_a_store_called_store() {
        let shipped = include_str!("../../config/catalog.toml");
        let us = Numbering::of(phonenumber::country::US);
        let catalog = Catalog::read("shipped", shipped, 2_592_000, us, &|_| None).unwrap();
        assert!(catalog.get("store").is_some());
        let group = &catalog.resources("DNIS").unwrap().group;
        assert_eq!(group.numbers[0].text, "8003449999");
    }

    #[test]
    fn values_are_read_as_strings_however_they_are_written() {
        let text = "[services.a]\n_type='builtin'\n_service='store'\n_ttl=60\n_x=true\n_y=''";
        let catalog = read(text).unwrap();
        let definition = catalog.get("a").unwrap();
        assert_eq!(definition.ttl(), 60);
        assert_eq!(definition.option("_x"), Some("true"));
        assert_eq!(definition.option("_y"), None);
    }

    #[test]
    fn what_cannot_be_read_names_the_file_and_the_place() {
        let cases = [
            ("[services.a", "line 1"),
            (
                "[services.a]\n_type=['x']",
                "option _type: expected a string",
            ),
            ("[services.a]\n_type='x'", "service \"a\", option _type"),
            ("[services.'a/b']\n_type='x'", "service \"a/b\""),
            ("[servces.a]\n_type='x'", "servces"),
            (
                "[resources.a]\nnumbers=['1']",
                "resource group \"a\", option _allocation_strategy",
            ),
            (
                "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers='1'",
                "option numbers: expected a list",
            ),
            (
                "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['6504699999','+1 650 469 9999']",
                "are one subscriber",
            ),
            (
                "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['1','2']\n\
                 [resources.b]\n_allocation_strategy='CLUSTER'\nnumbers=['2']",
                "group \"b\", option numbers: \"2\" is in \"a\" as well",
            ),
            (
                "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['6504699999']\n\
                 _backup_resource='+1 650 469 9999'",
                "option _backup_resource: \"+1 650 469 9999\" is one of the group's own",
            ),
            (
                "[resources.a]\n_allocation_strategy='LOCAL'\nnumbers=['1']\n_strategy='x'",
                "option _strategy: is unknown",
            ),
            (
                "[services.a]\n_type='builtin'\n_service='store'\n_resource_group='x'",
                "option _resource_group: is \"x\"",
            ),
        ];
        for (text, expected) in cases {
            let message = read(text).unwrap_err();
            assert!(message.starts_with("test.toml: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}
