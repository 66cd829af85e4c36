//! What can be wrong with the settings, told so that it can be put right without reading code.

use std::{fmt, io, path::PathBuf};

use config::ConfigError;

/// Why there are no settings. Neither `Display` nor `Debug` contains the value of a setting, except
/// for the path of a catalogue that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No setting has this name.
    #[error("unknown setting `{setting}` ({origin}): expected one of {allowed}")]
    Unknown {
        /// The name as far as it was understood, such as `server.lisen`.
        setting: String,
        /// Where the name stands.
        origin: SettingOrigin,
        /// The names that would have been right: the section's, or all sections'.
        allowed: String,
    },

    /// The setting exists and its value is of the wrong form or out of range.
    #[error("setting `{setting}` ({origin}): {expected}")]
    Invalid {
        /// The setting's name, such as `server.listen`.
        setting: String,
        /// Where the value stands.
        origin: SettingOrigin,
        /// What would have been right.
        expected: String,
    },

    /// A layer is no TOML.
    #[error("{origin}: {reason}")]
    Malformed {
        /// Which layer.
        origin: SettingOrigin,
        /// What the parser said, with line and column.
        reason: String,
    },

    /// The settings file cannot be read.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },

    /// A file of `[tls]` cannot be read.
    #[error("setting `{setting}`: cannot read {}: {reason}", path.display())]
    TlsFile {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },

    /// `auth.username` is set and `auth.password` is not, and a service has no password of its own.
    #[error(
        "setting `auth.password`: expected a password, for `auth.username` is set and the configured \
         service {service:?} has no password of its own: it would stand open"
    )]
    UsernameWithoutPassword {
        /// One such service.
        service: String,
    },

    /// The catalogue that `catalog.file` names cannot be read.
    #[error("setting `catalog.file`: cannot read {}: {reason}", path.display())]
    CatalogFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

impl SettingsError {
    /// The parser shows the line it stumbled over, which may hold a password. Only the position and
    /// the message are taken, and the error itself is dropped for the same reason.
    pub(super) fn malformed(origin: SettingOrigin, error: &ConfigError) -> Self {
        let told = error.to_string();
        let reason: Vec<_> = told.lines().filter(|line| !is_excerpt(line)).collect();
        Self::Malformed {
            origin,
            reason: reason.join(": "),
        }
    }
}

/// Whether the line is one of `  |`, `3 | text` and `  |  ^^^`.
fn is_excerpt(line: &str) -> bool {
    line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit())
        .starts_with('|')
}

/// Where a setting was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingOrigin {
    /// `config/default.toml`, compiled in.
    Defaults,
    /// The settings file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("built-in defaults"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}
