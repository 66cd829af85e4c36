//! The settings file and the environment, merged over the defaults by `config`. Each value has its origin.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use config::{Config, ConfigError, File, FileFormat, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::{
    error::SettingsError,
    secrets::{self, Layer},
    setting_names::{SettingNames, VARIABLE_PREFIX, variable},
};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const DEFAULTS_ORIGIN: &str = "built-in defaults";

/// The defaults, and all settings that are not defaults.
pub(super) struct Layers {
    defaults: Config,
    given: Layer,
}

impl Layers {
    /// Reads `file` and the settings in `environment`, which override those of the file.
    pub(super) fn load(
        file: Option<&Path>,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, SettingsError> {
        let malformed = |error| SettingsError::malformed(DEFAULTS_ORIGIN, &error);
        let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let defaults = defaults.build().map_err(malformed)?;
        let names = SettingNames::new(&defaults.collect().map_err(malformed)?);
        let mut given = Layer::new();
        if let Some(path) = file {
            given.append(&mut secrets::of_settings(file_layer(path, &names)?)?);
        }
        let variables = environment_layer(environment, &names)?;
        given.append(&mut secrets::of_settings(variables)?);
        Ok(Self { defaults, given })
    }

    /// Deserializes the merged settings.
    ///
    /// # Errors
    /// The first invalid setting in alphabetical order.
    pub(super) fn deserialize<T: DeserializeOwned>(&self) -> Result<T, SettingsError> {
        self.merge(&self.given).map_err(|error| {
            // `config` deserializes settings in random order.
            let mut given = self.given.iter();
            let first = given.find_map(|setting| self.merge::<T>([setting]).err());
            match first.unwrap_or(error) {
                ConfigError::At {
                    key: Some(setting),
                    error,
                    ..
                } => self.invalid(&setting, error.to_string()),
                error => SettingsError::malformed(DEFAULTS_ORIGIN, &error),
            }
        })
    }

    /// Deserializes the defaults, overridden by `settings`.
    fn merge<'a, T: DeserializeOwned>(
        &self,
        settings: impl IntoIterator<Item = (&'a String, &'a Value)>,
    ) -> Result<T, ConfigError> {
        let mut merged = Config::builder().add_source(self.defaults.clone());
        for (setting, value) in settings {
            merged = merged.set_override(setting, value.clone())?;
        }
        merged.build()?.try_deserialize()
    }

    /// The error for an invalid value of a setting.
    pub(super) fn invalid(&self, setting: &str, expected: impl Into<String>) -> SettingsError {
        let given = self.given.get(setting);
        let origin = given.and_then(Value::origin).unwrap_or(DEFAULTS_ORIGIN);
        let value = given.and_then(|value| secrets::printable(setting, &value.kind));
        SettingsError::invalid_value(setting, origin, value, expected)
    }
}

fn file_layer(path: &Path, names: &SettingNames) -> Result<Layer, SettingsError> {
    let origin = format!("file {}", path.display());
    let text = fs::read_to_string(path).map_err(|reason| SettingsError::SettingsFile {
        path: path.to_owned(),
        reason,
    })?;
    let sections = File::from_str(&text, FileFormat::Toml).collect();
    let sections = sections.map_err(|error| SettingsError::malformed(&origin, &error))?;
    let sections: BTreeMap<_, _> = sections.into_iter().collect();
    let mut layer = Layer::new();
    for (section, value) in sections {
        names.check_section(&section, &origin)?;
        let ValueKind::Table(keys) = value.kind else {
            let expected = format!("expected a section [{section}]");
            return Err(SettingsError::invalid(&section, &origin, expected));
        };
        layer.extend(keys.into_iter().map(|(key, value)| {
            let value = Value::new(Some(&origin), value.kind);
            (format!("{section}.{key}"), value)
        }));
    }
    layer
        .keys()
        .try_for_each(|setting| names.check(setting, &origin))?;
    Ok(layer)
}

/// Blank variables count as unset, as `${X:-}` in a shell or a Compose file produces them.
///
/// Names are case-sensitive: `SWITCHBOARD__Server__Listen` is unknown rather than a second spelling of the same setting.
fn environment_layer(
    environment: &[(OsString, OsString)],
    names: &SettingNames,
) -> Result<Layer, SettingsError> {
    let variables: BTreeMap<_, _> = environment
        .iter()
        .map(|(name, value)| (name.to_string_lossy(), value))
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .collect();
    let mut layer = Layer::new();
    for (name, value) in variables {
        let setting = names.of_variable(&name)?;
        let origin = format!("environment variable {}", variable(setting));
        let Some(value) = value.to_str() else {
            return Err(SettingsError::invalid(
                setting,
                &origin,
                "expected text in UTF-8",
            ));
        };
        if !secrets::is_blank(setting, value) {
            layer.insert(setting.to_owned(), Value::new(Some(&origin), value));
        }
    }
    Ok(layer)
}
