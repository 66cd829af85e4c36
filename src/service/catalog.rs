//! The configured services, from a TOML file.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use thiserror::Error;
use toml::Value;

use super::definition::{Definition, DefinitionError};

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

/// All configured services by name.
#[derive(Debug, Default)]
pub struct Catalog {
    definitions: BTreeMap<String, Arc<Definition>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    services: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Catalog {
    /// Reads `[services.<name>]` tables of options. Values are taken as strings, however they are
    /// written. `origin` tells in errors where `text` came from; `longest_life` is in seconds.
    ///
    /// # Errors
    /// A [`CatalogError`] that names service, option and what was expected.
    pub fn read(origin: &str, text: &str, longest_life: u64) -> Result<Self, CatalogError> {
        let unreadable = |reason: String| CatalogError::Unreadable {
            origin: origin.to_owned(),
            reason,
        };
        let file: File = toml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
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
            let definition = Definition::new(&name, options, longest_life);
            let definition = definition.map_err(|error| CatalogError::Definition {
                origin: origin.to_owned(),
                error,
            })?;
            definitions.insert(name, Arc::new(definition));
        }
        Ok(Self { definitions })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(name)
    }

    /// Names of all configured services.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }
}

fn is_usable(name: &str) -> bool {
    let length = (1..=MAX_NAME_BYTES).contains(&name.len());
    let segment = name != "." && name != "..";
    length && segment && !name.chars().any(|c| c == '/' || c.is_control())
}

fn as_string(value: Value) -> Option<String> {
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
        Catalog::read("test.toml", text, 3_600).map_err(|error| error.to_string())
    }

    #[test]
    fn the_shipped_catalogue_has_a_store_called_store() {
        let shipped = include_str!("../../config/catalog.toml");
        let catalog = Catalog::read("shipped", shipped, 2_592_000).unwrap();
        assert!(catalog.get("store").is_some());
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
        ];
        for (text, expected) in cases {
            let message = read(text).unwrap_err();
            assert!(message.starts_with("test.toml: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }
}
