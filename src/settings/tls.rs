//! `[tls]`: certificate and key of the listeners.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Deserialize;

use super::{
    error::{Contradiction, SettingsError},
    pem,
    values::{boolean, path},
};

/// `[tls]`: the PEM files and the protocols that are offered over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The server certificate and its intermediate certificates.
    #[serde(deserialize_with = "path")]
    pub certificate_file: PathBuf,
    /// The private key of the server certificate.
    #[serde(deserialize_with = "path")]
    pub key_file: PathBuf,
    /// Whether HTTP/2 is offered.
    #[serde(deserialize_with = "boolean")]
    pub http2: bool,
}

/// The contents of the files of [`Tls`].
#[derive(Debug)]
pub struct TlsFiles {
    /// The certificates, in PEM.
    pub certificates: Vec<u8>,
    /// The private key, in PEM.
    pub key: Vec<u8>,
}

/// Modification time and size of each file of [`Tls`]; differs after a file was replaced.
pub type TlsFilesVersion = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// `None` if neither file is set.
    pub(super) fn enabled(self) -> Result<Option<Self>, Contradiction> {
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        match (is_set(&self.certificate_file), is_set(&self.key_file)) {
            (true, true) => Ok(Some(self)),
            (false, false) => Ok(None),
            (true, false) => Err((
                "tls.key_file",
                "expected a file, because tls.certificate_file is set",
            )),
            (false, true) => Err((
                "tls.certificate_file",
                "expected a file, because tls.key_file is set",
            )),
        }
    }

    /// Reads both files.
    ///
    /// # Errors
    /// [`SettingsError::File`] if a file cannot be read.
    pub fn read_files(&self) -> Result<TlsFiles, SettingsError> {
        Ok(TlsFiles {
            certificates: read("tls.certificate_file", &self.certificate_file)?,
            key: read("tls.key_file", &self.key_file)?,
        })
    }

    /// The current version of both files.
    #[must_use]
    pub fn files_version(&self) -> TlsFilesVersion {
        [&self.certificate_file, &self.key_file].map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, SettingsError> {
    pem::read(path).map_err(|reason| SettingsError::File {
        setting,
        path: path.to_owned(),
        reason,
    })
}
