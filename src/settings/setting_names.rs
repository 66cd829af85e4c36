//! Which settings there are: those of `config/default.toml`, for each secret one of them a `..._file`,
//! and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

use config::ValueKind;

use super::{
    error::{SettingOrigin, SettingsError},
    provenance::Tree,
    secrets::{SECRETS, file_setting, is_empty},
};

/// What the environment variables of settings begin with.
pub(super) const VARIABLE_PREFIX: &str = "SWITCHBOARD__";

/// Sections, and the keys of each.
pub(super) struct SettingNames(BTreeMap<String, BTreeSet<String>>);

/// The environment variable of a setting: `SWITCHBOARD__SERVER__LISTEN` of `server.listen`.
pub(super) fn variable(setting: &str) -> String {
    let name = setting.to_uppercase().replace('.', "__");
    format!("{VARIABLE_PREFIX}{name}")
}

impl SettingNames {
    /// The names in `defaults`.
    pub(super) fn from_defaults(defaults: &Tree) -> Self {
        let sections = defaults.iter().filter_map(|(section, value)| {
            let ValueKind::Table(keys) = &value.kind else {
                return None;
            };
            Some((section.clone(), keys.keys().cloned().collect()))
        });
        let mut names = Self(sections.collect());
        for file in SECRETS.map(file_setting) {
            if let Some((section, key)) = file.split_once('.')
                && let Some(keys) = names.0.get_mut(section)
            {
                keys.insert(key.to_owned());
            }
        }
        names
    }

    /// Whether all of `tree` is known. Where more than one name is not, the error tells the first
    /// by the alphabet, so that it is the same one each time.
    pub(super) fn check(&self, tree: &Tree, origin: &SettingOrigin) -> Result<(), SettingsError> {
        for (section, value) in tree.iter().collect::<BTreeMap<_, _>>() {
            let Some(known) = self.0.get(section) else {
                return Err(self.unknown(section, origin.clone()));
            };
            let ValueKind::Table(keys) = &value.kind else {
                return Err(SettingsError::Invalid {
                    setting: section.clone(),
                    origin: origin.clone(),
                    expected: format!("expected a section [{section}]"),
                });
            };
            if let Some(key) = keys.keys().filter(|key| !known.contains(*key)).min() {
                return Err(self.unknown(&format!("{section}.{key}"), origin.clone()));
            }
        }
        Ok(())
    }

    /// The settings that `environment` has, by name, all of them known. One that is blank is not set, as
    /// `${X:-}` in a shell or a Compose file means it.
    ///
    /// A name must be spelled exactly: `SWITCHBOARD__Server__Listen` is unknown rather than a
    /// second, hidden way to say the same.
    pub(super) fn from_environment(
        &self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<BTreeMap<String, String>, SettingsError> {
        let ours: BTreeMap<String, OsString> = environment
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();

        let mut picked = BTreeMap::new();
        for (name, value) in ours {
            let origin = SettingOrigin::Variable(name.clone());
            let Some(setting) = self.settings().find(|setting| variable(setting) == name) else {
                return Err(self.unknown(&spelled_as_setting(&name), origin));
            };
            let Some(value) = value.to_str() else {
                return Err(SettingsError::Invalid {
                    setting,
                    origin,
                    expected: "expected text in UTF-8".to_owned(),
                });
            };
            let is_set = if SECRETS.contains(&setting.as_str()) {
                !is_empty(value)
            } else {
                !value.trim().is_empty()
            };
            if is_set {
                picked.insert(setting, value.to_owned());
            }
        }
        Ok(picked)
    }

    fn settings(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .flat_map(|(section, keys)| settings_in(section, keys))
    }

    fn unknown(&self, setting: &str, origin: SettingOrigin) -> SettingsError {
        let section = setting
            .split_once('.')
            .map_or(setting, |(section, _)| section);
        let allowed: Vec<_> = match self.0.get_key_value(section) {
            Some((section, keys)) => settings_in(section, keys).collect(),
            None => self
                .0
                .keys()
                .map(|section| format!("[{section}]"))
                .collect(),
        };
        SettingsError::Unknown {
            setting: setting.to_owned(),
            origin,
            allowed: allowed.join(", "),
        }
    }
}

fn settings_in(section: &str, keys: &BTreeSet<String>) -> impl Iterator<Item = String> {
    keys.iter().map(move |key| format!("{section}.{key}"))
}

/// `server.lisen` of `SWITCHBOARD__SERVER__LISEN`. Small letters are kept as they stand where there
/// are any, so that the error shows what is wrong with them.
fn spelled_as_setting(variable: &str) -> String {
    let name = variable.strip_prefix(VARIABLE_PREFIX).unwrap_or(variable);
    let name = name.replace("__", ".");
    if name.contains(char::is_lowercase) {
        name
    } else {
        name.to_lowercase()
    }
}
