//! `[catalog]`: the configured services.

use std::{fs, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    error::SettingsError,
    values::{optional_path, seconds},
};

/// The built-in catalog.
pub(super) const SHIPPED: &str = include_str!("../../config/catalog.toml");

/// `[catalog]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The catalog file; `None` means the shipped catalog.
    #[serde(deserialize_with = "optional_path")]
    pub file: Option<PathBuf>,
    /// Interval of polling the store for changes by operators; never zero.
    #[serde(rename = "poll_seconds", deserialize_with = "seconds::<1, 3600, _>")]
    pub poll_interval: Duration,
}

impl Catalog {
    /// The origin (for messages) and the TOML text of the catalog. Reads the file each time.
    ///
    /// # Errors
    ///
    /// [`SettingsError::File`] if `catalog.file` is set and cannot be read as text.
    pub fn text(&self) -> Result<(String, String), SettingsError> {
        let Some(path) = &self.file else {
            return Ok(("shipped catalog".to_owned(), SHIPPED.to_owned()));
        };
        let text = fs::read_to_string(path).map_err(|reason| SettingsError::File {
            setting: "catalog.file",
            path: path.clone(),
            reason,
        })?;
        Ok((path.display().to_string(), text))
    }
}
