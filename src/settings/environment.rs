//! Environment variables that are not settings: those that a catalog refers to, and `OTEL_*`.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    sync::Arc,
};

use super::{
    error::SettingsError,
    secrets::{self, without_line_end},
    setting_names::VARIABLE_PREFIX,
};

/// Prefix of the variables for headers of backends; their values are secrets.
const HEADER_VARIABLE_PREFIX: &str = "SWITCHBOARD_HEADER_";

/// Environment variables that are not settings. The values may be secret and are never printed.
#[derive(Clone, Default)]
pub(super) struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    /// # Errors
    /// [`SettingsError::Invalid`] for an unreadable file of a secret.
    pub(super) fn from_variables(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let others = variables.filter(|(name, _)| !is_setting(name));
        let mut others: BTreeMap<_, _> = others.collect();
        let texts = others.iter().filter_map(|(name, value)| {
            let text = (name.to_str()?.to_owned(), value.to_str()?.to_owned());
            text.0.starts_with(HEADER_VARIABLE_PREFIX).then_some(text)
        });
        let secrets = secrets::read_variables(&texts.collect(), HEADER_VARIABLE_PREFIX)?;
        others.extend(
            secrets
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        Ok(Self(Arc::new(others)))
    }

    /// The value of a variable, if it is UTF-8, without a trailing line end.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(OsStr::new(name))?.to_str()?;
        Some(without_line_end(value))
    }
}

fn is_setting(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(VARIABLE_PREFIX)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
