//! The names of all settings: those of `config/default.toml`, and for each secret one of them `..._file`.

use std::collections::BTreeSet;

use config::{Map, Value, ValueKind};

use super::{
    error::SettingsError,
    secrets::{SECRETS, file_setting},
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

/// The names of the settings, such as `server.listen`.
pub(super) struct SettingNames(BTreeSet<String>);

/// The environment variable of a setting: `SWITCHBOARD__SERVER__LISTEN` of `server.listen`.
pub(super) fn variable(setting: &str) -> String {
    let name = setting.to_uppercase().replace('.', "__");
    format!("{VARIABLE_PREFIX}{name}")
}

impl SettingNames {
    /// The names in `defaults`.
    pub(super) fn new(defaults: &Map<String, Value>) -> Self {
        let mut names: BTreeSet<String> = SECRETS.map(file_setting).into();
        for (section, value) in defaults {
            if let ValueKind::Table(keys) = &value.kind {
                names.extend(keys.keys().map(|key| format!("{section}.{key}")));
            }
        }
        Self(names)
    }

    /// Checks that a section of a settings file exists.
    pub(super) fn check_section(&self, section: &str, origin: &str) -> Result<(), SettingsError> {
        if self.sections().contains(section) {
            return Ok(());
        }
        Err(self.unknown(section, origin, str::to_owned))
    }

    /// Checks that a setting of a settings file exists.
    pub(super) fn check(&self, setting: &str, origin: &str) -> Result<(), SettingsError> {
        if self.0.contains(setting) {
            return Ok(());
        }
        Err(self.unknown(setting, origin, str::to_owned))
    }

    /// The setting of an environment variable, which must be spelled exactly.
    pub(super) fn of_variable(&self, name: &str) -> Result<&str, SettingsError> {
        let setting = self.0.iter().find(|setting| variable(setting) == name);
        setting.map(String::as_str).ok_or_else(|| {
            let origin = format!("environment variable {name}");
            self.unknown(&spelled_as_setting(name), &origin, variable)
        })
    }

    fn sections(&self) -> BTreeSet<&str> {
        self.0.iter().map(|name| section_of(name)).collect()
    }

    /// The error for an unknown name. `spell` converts the name of a setting for its origin.
    fn unknown(&self, setting: &str, origin: &str, spell: fn(&str) -> String) -> SettingsError {
        let section = section_of(setting);
        let expected = match self.current_name(setting) {
            Some(name) if name.contains('.') => format!("it was renamed to {}", spell(&name)),
            Some(section) => format!("it was renamed to [{section}]"),
            None => {
                let in_section = self.0.iter().filter(|name| section_of(name) == section);
                let mut allowed: Vec<String> = in_section.cloned().collect();
                if allowed.is_empty() {
                    let sections = self.sections();
                    allowed.extend(sections.iter().map(|section| format!("[{section}]")));
                }
                format!("expected one of {}", allowed.join(", "))
            }
        };
        SettingsError::Unknown {
            setting: setting.to_owned(),
            origin: origin.to_owned(),
            expected,
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
        self.0.contains(&name).then_some(name)
    }
}

fn section_of(setting: &str) -> &str {
    let section = setting.split_once('.');
    section.map_or(setting, |(section, _)| section)
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
