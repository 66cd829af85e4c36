//! The environment as a catalogue may name it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    sync::Arc,
};

use super::names::VARIABLES_BEGIN;

/// Variables of the environment that are no settings. Their values may be secret, and are not printed.
#[derive(Clone, Default)]
pub(super) struct Environment(Arc<BTreeMap<OsString, OsString>>);

impl Environment {
    pub(super) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let others = variables.filter(|(name, _)| !is_setting(name));
        Self(Arc::new(others.collect()))
    }

    /// The value of a variable, if it is text.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(OsStr::new(name))
            .and_then(|value| value.to_str())
    }
}

fn is_setting(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(VARIABLES_BEGIN)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
