//! The secret settings, and the files that their values can be read from.
//!
//! For each secret setting, such as `redis.password`, `redis.password_file` names a file that contains
//! the value: this is how Kubernetes, Docker and systemd provide secrets.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use config::ValueKind;

use super::error::{SettingOrigin, SettingsError};

/// Settings whose values are never printed.
pub(super) const SECRETS: [&str; 6] = [
    "admin.password",
    "auth.api_keys",
    "auth.password",
    "redis.password",
    "redis.sentinel_password",
    "redis.url",
];

const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A secret that was read from a file.
pub(super) struct Secret {
    /// The setting.
    pub(super) setting: &'static str,
    /// The file.
    pub(super) path: PathBuf,
    /// The content of the file.
    pub(super) value: String,
}

/// The name of the setting that names the file of a secret `setting`.
pub(super) fn file_setting(setting: &str) -> String {
    format!("{setting}_file")
}

/// `text` without one trailing line end, which editors, `echo` and `kubectl create secret --from-file` append.
pub(super) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// The secrets of one layer that are in files. `find` returns the value of a setting in the layer and
/// `origin` its origin.
///
/// # Errors
/// [`SettingsError::Invalid`] if both the value and the file are set, or the file cannot be used.
pub(super) fn read<'a>(
    find: impl Fn(&str) -> Option<&'a ValueKind>,
    origin: impl Fn(&str) -> SettingOrigin,
) -> Result<Vec<Secret>, SettingsError> {
    let mut secrets = Vec::new();
    for setting in SECRETS {
        let named = file_setting(setting);
        let invalid = |expected: String| SettingsError::Invalid {
            setting: named.clone(),
            origin: origin(&named),
            expected,
        };
        let path = match find(&named) {
            None => continue,
            Some(ValueKind::String(path)) if path.is_empty() => continue,
            Some(ValueKind::String(path)) => PathBuf::from(path),
            Some(_) => return Err(invalid("expected text in quotes".to_owned())),
        };
        let is_unset = match find(setting) {
            None => true,
            Some(ValueKind::String(text)) => is_empty(text),
            Some(_) => false,
        };
        if !is_unset {
            return Err(invalid(format!(
                "`{setting}` is set too: set only one of the two"
            )));
        }
        let value = read_file(&path).map_err(|error| invalid(read_error(&path, &error)))?;
        secrets.push(Secret {
            setting,
            path,
            value,
        });
    }
    Ok(secrets)
}

/// The secrets among `variables` whose names begin with `prefix`: `NAME_FILE` names the file of `NAME`.
///
/// # Errors
/// As [`read`].
pub(super) fn read_variables(
    variables: &BTreeMap<String, String>,
    prefix: &str,
) -> Result<Vec<(String, String)>, SettingsError> {
    let named = variables.iter().filter_map(|(named, path)| {
        let name = named.strip_suffix("_FILE")?;
        (name.len() > prefix.len() && name.starts_with(prefix) && !path.is_empty())
            .then_some((named, name, path))
    });
    let read = named.map(|(named, name, path)| {
        let invalid = |expected: String| SettingsError::Invalid {
            setting: named.clone(),
            origin: SettingOrigin::Variable(named.clone()),
            expected,
        };
        if variables.get(name).is_some_and(|value| !is_empty(value)) {
            return Err(invalid(format!(
                "{name} is set too: set only one of the two"
            )));
        }
        let path = Path::new(path);
        let value = read_file(path).map_err(|error| invalid(read_error(path, &error)))?;
        Ok((name.to_owned(), value))
    });
    read.collect()
}

/// Whether a secret is empty except for a line end.
pub(super) fn is_empty(value: &str) -> bool {
    without_line_end(value).is_empty()
}

/// An empty file is an error: the secret was probably not filled in, and an empty password would
/// disable authentication.
fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_SECRET_BYTES + 1);
    file.read_to_string(&mut text)?;
    let invalid = |reason: String| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    if text.len() as u64 > MAX_SECRET_BYTES {
        return invalid(format!("it is larger than {MAX_SECRET_BYTES} bytes"));
    }
    if is_empty(&text) {
        return invalid("it is empty".to_owned());
    }
    Ok(text)
}

/// The path is printed only if it is clearly a path: the secret itself may have been set instead by
/// mistake.
fn read_error(path: &Path, error: &io::Error) -> String {
    if path.is_absolute() || path.starts_with(".") || path.starts_with("..") {
        return format!("cannot read the file {}: {error}", path.display());
    }
    format!(
        "cannot read the file (a relative path, not shown because it may be the secret itself): {error}"
    )
}
