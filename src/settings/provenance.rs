//! The three layers of settings, merged, with the origin of each setting.
//!
//! `config` parses and merges. Names are checked here, per layer and before merging, because
//! afterwards their origin is lost.

use std::{collections::BTreeMap, ffi::OsString, fs, ops::RangeInclusive, path::Path};

use config::{
    Config, ConfigBuilder, File, FileFormat, Map, Source, Value, ValueKind, builder::DefaultState,
};
use secrecy::SecretString;

use super::{
    error::{SettingOrigin, SettingsError},
    secrets::{self, without_line_end},
    setting_names::{SettingNames, variable},
};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Sections, each with a table of keys.
pub(super) type Tree = Map<String, Value>;

/// All layers merged, and the origins of the settings.
pub(super) struct Layers {
    merged: Tree,
    /// The origin of every setting that is not a default.
    origins: BTreeMap<String, SettingOrigin>,
}

impl Layers {
    /// Reads `file` and the settings in `environment`, and checks the names in both.
    pub(super) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let names = SettingNames::from_defaults(&tree(&defaults, &SettingOrigin::Defaults)?);
        let builder = Config::builder().add_source(defaults);
        let mut stack = LayerBuilder {
            builder,
            origins: BTreeMap::new(),
        };
        if let Some(path) = file {
            let origin = SettingOrigin::File(path.to_owned());
            let source = File::from_str(&text(path)?, FileFormat::Toml);
            let tree = tree(&source, &origin)?;
            names.check(&tree, &origin)?;
            stack.add(source, &tree, |_| origin.clone())?;
        }
        let source = from_pairs(names.read_environment(environment)?)?;
        let tree = tree(&source, &SettingOrigin::Defaults)?;
        stack.add(source, &tree, |setting| {
            SettingOrigin::Variable(variable(setting))
        })?;
        stack.merge()
    }

    /// The text of `setting`, which may be empty.
    pub(super) fn text(&self, setting: &str) -> Result<String, SettingsError> {
        match setting_value(&self.merged, setting) {
            Some(ValueKind::String(text)) => Ok(text.clone()),
            _ => Err(self.invalid(setting, "expected text in quotes")),
        }
    }

    /// The text of `setting` without surrounding white space, which has no meaning in a choice, a list
    /// or an address.
    pub(super) fn trimmed_text(&self, setting: &str) -> Result<String, SettingsError> {
        Ok(self.text(setting)?.trim().to_owned())
    }

    /// The secret `setting` without a trailing line end; `None` if it is empty.
    pub(super) fn secret(&self, setting: &str) -> Result<Option<SecretString>, SettingsError> {
        let text = self.text(setting)?;
        let secret = without_line_end(&text);
        Ok((!secret.is_empty()).then(|| SecretString::from(secret)))
    }

    /// The integer `setting`, which may be text: environment variables are always text.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        setting: &str,
        allowed: RangeInclusive<i64>,
    ) -> Result<T, SettingsError> {
        let number = match setting_value(&self.merged, setting) {
            Some(ValueKind::I64(number)) => Some(*number),
            Some(ValueKind::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| allowed.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let (min, max) = allowed.into_inner();
                self.invalid(setting, &format!("expected an integer from {min} to {max}"))
            })
    }

    /// The boolean `setting`, which may be text in any case.
    pub(super) fn boolean(&self, setting: &str) -> Result<bool, SettingsError> {
        let enabled = match setting_value(&self.merged, setting) {
            Some(ValueKind::Boolean(enabled)) => Some(*enabled),
            Some(ValueKind::String(text)) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        enabled.ok_or_else(|| self.invalid(setting, "expected true or false"))
    }

    /// The error for an invalid value of `setting`.
    pub(super) fn invalid(&self, setting: &str, expected: &str) -> SettingsError {
        SettingsError::Invalid {
            setting: setting.to_owned(),
            origin: self.origin(setting),
            expected: expected.to_owned(),
        }
    }

    fn origin(&self, setting: &str) -> SettingOrigin {
        let origin = self.origins.get(setting);
        origin.cloned().unwrap_or(SettingOrigin::Defaults)
    }
}

/// Collects layers; each overrides the earlier ones.
struct LayerBuilder {
    builder: ConfigBuilder<DefaultState>,
    origins: BTreeMap<String, SettingOrigin>,
}

impl LayerBuilder {
    /// Adds `source` with the settings in `tree`, and the contents of its secret files.
    fn add(
        &mut self,
        source: impl Source + Send + Sync + 'static,
        tree: &Tree,
        origin: impl Fn(&str) -> SettingOrigin,
    ) -> Result<(), SettingsError> {
        let secrets = secrets::read(|setting| setting_value(tree, setting), &origin)?;
        for setting in settings(tree) {
            let origin = origin(&setting);
            self.origins.insert(setting, origin);
        }
        for secret in &secrets {
            let origin = SettingOrigin::File(secret.path.clone());
            self.origins.insert(secret.setting.to_owned(), origin);
        }
        let secrets = secrets.into_iter();
        let secrets = from_pairs(secrets.map(|secret| (secret.setting.to_owned(), secret.value)))?;
        let builder = std::mem::take(&mut self.builder);
        self.builder = builder.add_source(source).add_source(secrets);
        Ok(())
    }

    fn merge(self) -> Result<Layers, SettingsError> {
        let merged = self.builder.build();
        let merged =
            merged.map_err(|error| SettingsError::malformed(SettingOrigin::Defaults, &error))?;
        Ok(Layers {
            merged: tree(&merged, &SettingOrigin::Defaults)?,
            origins: self.origins,
        })
    }
}

/// A layer with the given settings and texts.
fn from_pairs(
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, SettingsError> {
    let mut settings = settings.into_iter();
    let builder = settings.try_fold(Config::builder(), |builder, (setting, text)| {
        builder.set_override(setting, text)
    });
    let layer = builder.and_then(ConfigBuilder::<DefaultState>::build);
    layer.map_err(|error| SettingsError::malformed(SettingOrigin::Defaults, &error))
}

fn text(path: &Path) -> Result<String, SettingsError> {
    fs::read_to_string(path).map_err(|reason| SettingsError::SettingsFile {
        path: path.to_owned(),
        reason,
    })
}

fn tree(source: &impl Source, origin: &SettingOrigin) -> Result<Tree, SettingsError> {
    source
        .collect()
        .map_err(|error| SettingsError::malformed(origin.clone(), &error))
}

fn setting_value<'a>(tree: &'a Tree, setting: &str) -> Option<&'a ValueKind> {
    let (section, key) = setting.split_once('.')?;
    match &tree.get(section)?.kind {
        ValueKind::Table(keys) => Some(&keys.get(key)?.kind),
        _ => None,
    }
}

/// The names of all settings in `tree`.
fn settings(tree: &Tree) -> impl Iterator<Item = String> {
    tree.iter().flat_map(|(section, value)| {
        let keys = match &value.kind {
            ValueKind::Table(keys) => Some(keys.keys()),
            _ => None,
        };
        let keys = keys.into_iter().flatten();
        keys.map(move |key| format!("{section}.{key}"))
    })
}
