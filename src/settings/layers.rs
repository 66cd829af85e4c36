//! The three layers, one over the other, and for each setting which of them it came from.
//!
//! `config` parses and merges. Names are checked here, layer by layer and before merging, because
//! afterwards nobody can tell where a wrong one stood.

use std::{
    ffi::OsString,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use config::{Config, Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    error::{Origin, SettingsError},
    names::{Names, variable},
};

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Sections, and in each a table of keys.
pub(super) type Tree = Map<String, Value>;

/// All layers merged, and what it takes to tell a setting's origin.
pub(super) struct Layers {
    merged: Tree,
    file: Option<(PathBuf, Tree)>,
    variables: Map<String, String>,
}

impl Layers {
    /// Reads `file`, picks what concerns us from `environment`, and checks the names in both.
    pub(super) fn stack(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let names = Names::of(&tree(&defaults, &Origin::Defaults)?);
        let mut builder = Config::builder().add_source(defaults);

        let mut in_file = None;
        if let Some(path) = file {
            let origin = Origin::File(path.to_owned());
            let source = File::from_str(&text(path)?, FileFormat::Toml);
            let tree = tree(&source, &origin)?;
            names.check(&tree, &origin)?;
            builder = builder.add_source(source);
            in_file = Some((path.to_owned(), tree));
        }

        let variables = names.pick(environment)?;
        let source = Environment::with_prefix("SWITCHBOARD")
            .separator("__")
            .source(Some(variables.clone()));
        let merged = builder
            .add_source(source)
            .build()
            .map_err(|error| SettingsError::malformed(Origin::Defaults, &error))?;

        Ok(Self {
            merged: tree(&merged, &Origin::Defaults)?,
            file: in_file,
            variables,
        })
    }

    /// The text of `setting`, empty or not.
    pub(super) fn text(&self, setting: &str) -> Result<String, SettingsError> {
        match find(&self.merged, setting) {
            Some(ValueKind::String(text)) => Ok(text.clone()),
            _ => Err(self.invalid(setting, "expected text in quotes")),
        }
    }

    /// The whole number `setting`, which may be written as text: the environment has nothing else.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        setting: &str,
        allowed: RangeInclusive<i64>,
    ) -> Result<T, SettingsError> {
        let number = match find(&self.merged, setting) {
            Some(ValueKind::I64(number)) => Some(*number),
            Some(ValueKind::String(text)) => text.parse().ok(),
            _ => None,
        };
        number
            .filter(|number| allowed.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let (least, most) = allowed.into_inner();
                self.invalid(
                    setting,
                    &format!("expected a whole number from {least} to {most}"),
                )
            })
    }

    /// The switch `setting`, which may be written as text.
    pub(super) fn switch(&self, setting: &str) -> Result<bool, SettingsError> {
        let on = match find(&self.merged, setting) {
            Some(ValueKind::Boolean(on)) => Some(*on),
            Some(ValueKind::String(text)) => text.parse().ok(),
            _ => None,
        };
        on.ok_or_else(|| self.invalid(setting, "expected true or false"))
    }

    /// The error for a `setting` whose value is not what was `expected`.
    pub(super) fn invalid(&self, setting: &str, expected: &str) -> SettingsError {
        SettingsError::Invalid {
            setting: setting.to_owned(),
            origin: self.origin(setting),
            expected: expected.to_owned(),
        }
    }

    fn origin(&self, setting: &str) -> Origin {
        let variable = variable(setting);
        if self.variables.contains_key(&variable) {
            return Origin::Variable(variable);
        }
        match &self.file {
            Some((path, tree)) if find(tree, setting).is_some() => Origin::File(path.clone()),
            _ => Origin::Defaults,
        }
    }
}

fn text(path: &Path) -> Result<String, SettingsError> {
    fs::read_to_string(path).map_err(|reason| SettingsError::SettingsFile {
        path: path.to_owned(),
        reason,
    })
}

fn tree(source: &impl Source, origin: &Origin) -> Result<Tree, SettingsError> {
    source
        .collect()
        .map_err(|error| SettingsError::malformed(origin.clone(), &error))
}

fn find<'a>(tree: &'a Tree, setting: &str) -> Option<&'a ValueKind> {
    let (section, key) = setting.split_once('.')?;
    match &tree.get(section)?.kind {
        ValueKind::Table(keys) => Some(&keys.get(key)?.kind),
        _ => None,
    }
}
