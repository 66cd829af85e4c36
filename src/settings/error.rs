//! Errors in the settings, with the name of the setting, its origin and the expected value.

use std::{io, path::PathBuf};

use config::ConfigError;

/// An error while loading the settings. Neither `Display` nor `Debug` contains the value of a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No setting has this name.
    #[error("unknown setting `{setting}` ({origin}): {expected}")]
    Unknown {
        /// The name, such as `server.lisen`.
        setting: String,
        /// The origin of the name.
        origin: String,
        /// The current name of a renamed setting; otherwise the settings of the section or all sections.
        expected: String,
    },

    /// The value of the setting has the wrong form or is out of range.
    #[error("setting `{setting}` ({origin}){}: {expected}", given(value.as_deref()))]
    Invalid {
        /// The setting's name, such as `server.listen`.
        setting: String,
        /// The origin of the value.
        origin: String,
        /// The value; `None` if it may be a secret, or is the default.
        value: Option<String>,
        /// The allowed values.
        expected: String,
    },

    /// A layer is not valid TOML.
    #[error("{origin}: {reason}")]
    Malformed {
        /// The layer.
        origin: String,
        /// The parser's message, with line and column.
        reason: String,
    },

    /// The settings file cannot be read.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },

    /// A file that a setting names cannot be read.
    #[error("setting `{setting}`: cannot read {}: {reason}", path.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },

    /// `auth.username` is set, `auth.password` is not, and a configured service has no own password.
    #[error(
        "setting `auth.password`: expected a password, because `auth.username` is set and the configured \
         service {service:?} has no password of its own: it would be unprotected"
    )]
    UsernameWithoutPassword {
        /// The first such service.
        service: String,
    },
}

/// A setting that contradicts another one, and what is expected.
pub(super) type Contradiction = (&'static str, &'static str);

impl SettingsError {
    /// The error for an invalid value that is not shown.
    pub(super) fn invalid(setting: &str, origin: &str, expected: impl Into<String>) -> Self {
        Self::invalid_value(setting, origin, None, expected)
    }

    /// The error for an invalid value.
    pub(super) fn invalid_value(
        setting: &str,
        origin: &str,
        value: Option<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            setting: setting.to_owned(),
            origin: origin.to_owned(),
            value,
            expected: expected.into(),
        }
    }

    /// The parser's error contains an excerpt of the file, possibly with a password. Only its position
    /// and message are copied; the error itself is dropped for the same reason.
    pub(super) fn malformed(origin: &str, error: &ConfigError) -> Self {
        let text = error.to_string();
        let reason: Vec<_> = text.lines().filter(|line| !is_excerpt(line)).collect();
        Self::Malformed {
            origin: origin.to_owned(),
            reason: reason.join(": "),
        }
    }
}

fn given(value: Option<&str>) -> String {
    value
        .map(|value| format!(" is {value}"))
        .unwrap_or_default()
}

/// Whether the line has one of the forms `  |`, `3 | text` and `  |  ^^^`.
fn is_excerpt(line: &str) -> bool {
    line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit())
        .starts_with('|')
}
