//! The names of all settings: those of `config/default.toml`, and for each secret one of them `..._file`.

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

/// Prefix of the environment variables of settings.
pub(super) const VARIABLE_PREFIX: &str = "SWITCHBOARD__";

/// Renamed sections and settings with their current names, which errors suggest.
pub(super) const RENAMED: [(&str, &str); 19] = [
    ("admin.history_entries", "admin.audit_log_entries"),
    ("admin.idle_seconds", "admin.session_idle_seconds"),
    ("admin.visit_seconds", "admin.session_max_seconds"),
    ("backend.answer_bytes", "backend.max_response_bytes"),
    ("backend.answer_timeout_ms", "backend.response_timeout_ms"),
    (
        "backend.circuit_failures",
        "backend.circuit_breaker_failures",
    ),
    (
        "backend.circuit_seconds",
        "backend.circuit_breaker_reset_seconds",
    ),
    ("catalog.look_seconds", "catalog.poll_seconds"),
    ("limits.life_seconds", "limits.max_ttl_seconds"),
    ("limits.pairs", "limits.fields"),
    ("log.slow_ms", "log.slow_request_ms"),
    ("redis.answer_timeout_ms", "redis.response_timeout_ms"),
    ("redis.max_waiting", "redis.max_in_flight"),
    ("redis.pool_wait_ms", "redis.pool_timeout_ms"),
    (
        "server.body_stall_seconds",
        "server.body_idle_timeout_seconds",
    ),
    ("server.grace_seconds", "server.drain_seconds"),
    (
        "server.head_timeout_seconds",
        "server.request_header_timeout_seconds",
    ),
    ("server.shutdown_seconds", "server.shutdown_timeout_seconds"),
    ("throttle", "rate_limit"),
];

/// Sections and their keys.
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

    /// Checks that all names in `tree` exist. The error names the first unknown one in alphabetical
    /// order, so that it is deterministic.
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

    /// The settings in `environment` by name; an unknown one is an error. A blank variable counts as
    /// unset, as `${X:-}` in a shell or a Compose file produces it.
    ///
    /// Names are case-sensitive: `SWITCHBOARD__Server__Listen` is unknown rather than a second
    /// spelling of the same setting.
    pub(super) fn read_environment(
        &self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<BTreeMap<String, String>, SettingsError> {
        let variables: BTreeMap<String, OsString> = environment
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();

        let mut settings = BTreeMap::new();
        for (name, value) in variables {
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
                settings.insert(setting, value.to_owned());
            }
        }
        Ok(settings)
    }

    fn settings(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .flat_map(|(section, keys)| settings_in(section, keys))
    }

    fn unknown(&self, setting: &str, origin: SettingOrigin) -> SettingsError {
        if let Some(name) = self.current_name(setting) {
            let suggestion = match &origin {
                _ if !name.contains('.') => format!("[{name}]"),
                SettingOrigin::Variable(_) => variable(&name),
                SettingOrigin::File(_) | SettingOrigin::Defaults => name,
            };
            return SettingsError::Unknown {
                setting: setting.to_owned(),
                origin,
                expected: format!("it was renamed to {suggestion}"),
            };
        }
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
            expected: format!("expected one of {}", allowed.join(", ")),
        }
    }

    /// The current name of a renamed setting, or of a setting in a renamed section.
    fn current_name(&self, setting: &str) -> Option<String> {
        let current = |old| RENAMED.iter().find(|(name, _)| *name == old);
        if let Some((_, name)) = current(setting) {
            return Some((*name).to_owned());
        }
        let (section, key) = setting.split_once('.')?;
        let (_, section) = current(section)?;
        let name = format!("{section}.{key}");
        self.settings().any(|known| known == name).then_some(name)
    }
}

fn settings_in(section: &str, keys: &BTreeSet<String>) -> impl Iterator<Item = String> {
    keys.iter().map(move |key| format!("{section}.{key}"))
}

/// `server.lisen` for `SWITCHBOARD__SERVER__LISEN`. A name with lower-case letters is not converted,
/// so that the error shows them.
fn spelled_as_setting(variable: &str) -> String {
    let name = variable.strip_prefix(VARIABLE_PREFIX).unwrap_or(variable);
    let name = name.replace("__", ".");
    if name.contains(char::is_lowercase) {
        name
    } else {
        name.to_lowercase()
    }
}
