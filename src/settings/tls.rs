//! `[tls]`: certificate and key of the listeners.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{error::SettingsError, load::not_empty, provenance::Layers};

/// PEM files have some kilobytes; the rest of a larger file is not read.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// `[tls]`: the PEM files and the protocols that are offered over TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Whether HTTP/2 is offered.
    pub http2: bool,
    /// The server certificate and its intermediate certificates.
    pub certificate_file: PathBuf,
    /// The private key of the server certificate.
    pub key_file: PathBuf,
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
    /// Reads both files.
    ///
    /// # Errors
    /// [`SettingsError::TlsFile`] if a file cannot be read.
    pub fn read_files(&self) -> Result<TlsFiles, SettingsError> {
        Ok(TlsFiles {
            certificates: pem("tls.certificate_file", &self.certificate_file)?,
            key: pem("tls.key_file", &self.key_file)?,
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

fn pem(setting: &'static str, path: &Path) -> Result<Vec<u8>, SettingsError> {
    let fail = |reason| SettingsError::TlsFile {
        setting,
        path: path.to_owned(),
        reason,
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(fail)?;
    file.take(MAX_PEM_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

pub(super) fn tls(from: &Layers) -> Result<Option<Tls>, SettingsError> {
    let path = |setting| Ok(not_empty(from.text(setting)?).map(PathBuf::from));
    let (certificate, key) = ("tls.certificate_file", "tls.key_file");
    match (path(certificate)?, path(key)?) {
        (None, None) => Ok(None),
        (Some(certificate_file), Some(key_file)) => Ok(Some(Tls {
            http2: from.boolean("tls.http2")?,
            certificate_file,
            key_file,
        })),
        (Some(_), None) => {
            Err(from.invalid(key, "expected a file, because tls.certificate_file is set"))
        }
        (None, Some(_)) => {
            Err(from.invalid(certificate, "expected a file, because tls.key_file is set"))
        }
    }
}
