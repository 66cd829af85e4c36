//! The secret settings, and the files that their values can be read from.
//!
//! For each secret setting, such as `redis.password`, `redis.password_file` names a file that contains
//! the value: this is how Kubernetes, Docker and systemd provide secrets.

use std::{collections::BTreeMap, path::Path};

use config::{Value, ValueKind};

use super::{error::SettingsError, files, values::without_line_end};

/// Values by the name of the setting, such as `server.listen`, or of the environment variable.
pub(super) type Layer = BTreeMap<String, Value>;

/// Settings whose values are never printed.
pub(super) const SECRETS: [&str; 10] = [
    "admin.password",
    "agents.api_keys",
    "agents.users",
    "auth.api_keys",
    "auth.password",
    "operators.users",
    "redis.password",
    "redis.sentinel_password",
    "redis.url",
    "single_sign_on.client_secret",
];

const MAX_SECRET_BYTES: u64 = 64 * 1024;
/// The maximum length of a value in an error.
const MAX_PRINTED_CHARS: usize = 80;

/// The name of the setting that names the file of a secret `setting`.
pub(super) fn file_setting(setting: &str) -> String {
    format!("{setting}_file")
}

/// Whether a value counts as unset. White space can be a secret, except for a line end.
pub(super) fn is_blank(setting: &str, value: &str) -> bool {
    if SECRETS.contains(&setting) {
        return is_empty(value);
    }
    value.trim().is_empty()
}

/// The value of a setting for an error. `None` for a secret, and for text that may contain one.
pub(super) fn printable(setting: &str, value: &ValueKind) -> Option<String> {
    if SECRETS.contains(&setting) {
        return None;
    }
    Some(match value {
        ValueKind::String(text) if may_contain_secret(setting, text) => return None,
        ValueKind::String(text) => {
            let printed: String = text.chars().take(MAX_PRINTED_CHARS).collect();
            let rest = if printed.len() < text.len() {
                "..."
            } else {
                ""
            };
            format!("{printed:?}{rest}")
        }
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(_) => "an array".to_owned(),
        scalar => scalar.to_string(),
    })
}

/// Whether a text may contain a misplaced secret: a user name with its password, a URL with credentials, or a key in
/// place of its file.
fn may_contain_secret(setting: &str, text: &str) -> bool {
    let is_user_name = setting.ends_with("username");
    let is_key =
        setting.ends_with("_file") && text.len() > MAX_PRINTED_CHARS && !text.contains('/');
    let lowercase = text.to_lowercase();
    let markers = ["@", "-----begin", "pass=", "password="];
    is_user_name || is_key || markers.iter().any(|marker| lowercase.contains(marker))
}

/// Replaces `..._file` of each secret setting in `layer` by the secret.
///
/// # Errors
/// As [`read_files`].
pub(super) fn of_settings(layer: Layer) -> Result<Layer, SettingsError> {
    read_files(
        layer,
        SECRETS.map(|secret| (secret.to_owned(), file_setting(secret))),
    )
}

/// Replaces `..._FILE` of each variable whose name begins with `prefix` by the secret.
///
/// # Errors
/// As [`read_files`].
pub(super) fn of_variables(variables: Layer, prefix: &str) -> Result<Layer, SettingsError> {
    let names = variables.keys().filter(|name| name.starts_with(prefix));
    let files =
        names.filter_map(|file| Some((file.strip_suffix("_FILE")?.to_owned(), file.clone())));
    let files: Vec<_> = files
        .filter(|(name, _)| name.len() > prefix.len())
        .collect();
    read_files(variables, files)
}

/// Reads the files of secrets; each item of `names` is the name of a secret and of its file in `layer`.
///
/// # Errors
/// [`SettingsError::Invalid`] if both the secret and its file are set, or the file cannot be used.
fn read_files(
    mut layer: Layer,
    names: impl IntoIterator<Item = (String, String)>,
) -> Result<Layer, SettingsError> {
    for (secret, file_name) in names {
        let Some(file) = layer.remove(&file_name) else {
            continue;
        };
        let origin = file.origin().unwrap_or_default();
        let invalid = |expected| SettingsError::invalid(&file_name, origin, expected);
        let ValueKind::String(path) = &file.kind else {
            return Err(invalid("expected text in quotes".to_owned()));
        };
        if path.is_empty() {
            continue;
        }
        let other = layer.get(&secret).map(|value| &value.kind);
        if other.is_some_and(|other| !matches!(other, ValueKind::String(text) if is_empty(text))) {
            let expected = format!("`{secret}` is set too: set only one of the two");
            return Err(invalid(expected));
        }
        let text = read(path).map_err(invalid)?;
        layer.insert(secret, Value::new(Some(&format!("file {path}")), text));
    }
    Ok(layer)
}

fn is_empty(value: &str) -> bool {
    without_line_end(value).is_empty()
}

/// Reads the file of a secret. An empty file is an error: the secret was probably not filled in, and an empty password
/// would disable authentication.
///
/// The path is printed only if it is clearly a path: the secret itself may have been set instead by
/// mistake.
fn read(path: &str) -> Result<String, String> {
    let reason = match files::read(Path::new(path), MAX_SECRET_BYTES).map(String::from_utf8) {
        Ok(Ok(text)) if !is_empty(&text) => return Ok(text),
        Ok(Ok(_)) => "it is empty".to_owned(),
        Ok(Err(_)) => "it is not text in UTF-8".to_owned(),
        Err(error) => error.to_string(),
    };
    let file = Path::new(path);
    if file.is_absolute() || file.starts_with(".") || file.starts_with("..") {
        return Err(format!("cannot read the file {path}: {reason}"));
    }
    Err(format!(
        "cannot read the file (a relative path, not shown because it may be the secret itself): {reason}"
    ))
}
