//! Environment variables that are not settings: those that a catalog refers to, and `OTEL_*`.

use std::{collections::BTreeMap, ffi::OsString, fmt, sync::Arc};

use config::Value;

use super::{
    error::SettingsError, secrets, setting_names::VARIABLE_PREFIX, values::without_line_end,
};

/// Prefix of the variables for headers of backends; their values are secrets.
const HEADER_VARIABLE_PREFIX: &str = "SWITCHBOARD_HEADER_";

/// Environment variables that are not settings. The values may be secret and are never printed.
#[derive(Clone, Default)]
pub(super) struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// # Errors
    /// [`SettingsError::Invalid`] for an unreadable file of a secret.
    pub(super) fn new(variables: Vec<(OsString, OsString)>) -> Result<Self, SettingsError> {
        let texts = variables.into_iter();
        let texts = texts.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let others = texts.filter(|(name, _)| !name.starts_with(VARIABLE_PREFIX));
        let others = others.map(|(name, value)| {
            let origin = format!("environment variable {name}");
            (name, Value::new(Some(&origin), value))
        });
        let others = secrets::of_variables(others.collect(), HEADER_VARIABLE_PREFIX)?;
        let others = others.into_iter();
        let others = others.filter_map(|(name, value)| Some((name, value.into_string().ok()?)));
        Ok(Self(Arc::new(others.collect())))
    }

    /// The value of a variable, if it is UTF-8, without a trailing line end.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| without_line_end(value))
    }

    /// The value of a variable, if it is UTF-8, as libraries read it.
    pub(super) fn get_unchanged(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
