//! Files with certificates and private keys, in PEM.

use std::{io, path::Path};

use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserializer, de::Error};

use super::{files, values};

/// Maximum size of a file. The certificate authorities of a system have about 250 KiB.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Reads a file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    files::read(path, MAX_PEM_BYTES)
}

/// The content of a file with certificate authorities; `None` if no file is set.
pub(super) fn authorities<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    content(from, "the certificates of authorities", |pem| {
        let mut trusted = RootCertStore::empty();
        let mut is_trusted = |authority| trusted.add(authority).is_ok();
        certificates(pem).is_some_and(|found| found.into_iter().all(&mut is_trusted))
    })
}

/// The content of a file with a certificate; `None` if no file is set. Certificates of X.509 version 1 are not usable.
pub(super) fn certificate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    content(from, "a certificate of X.509 version 3", |pem| {
        let chain = certificates(pem);
        let first = chain.as_deref().and_then(<[_]>::first);
        first.is_some_and(|first| ParsedCertificate::try_from(first).is_ok())
    })
}

/// The content of a file with a private key; `None` if no file is set.
pub(super) fn private_key<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<SecretString>, D::Error> {
    let key = content(from, "a private key", |pem| {
        PrivateKeyDer::from_pem_slice(pem).is_ok()
    });
    Ok(key?.map(SecretString::from))
}

/// Whether the private key belongs to the certificate.
pub(super) fn is_pair(certificate: &str, key: &SecretString) -> bool {
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes());
    let (Some(chain), Ok(key)) = (certificates(certificate.as_bytes()), key) else {
        return false;
    };
    CertifiedKey::from_der(chain, key, &ring::default_provider()).is_ok()
}

/// The certificates in a file; `None` if there are none or one of them is malformed.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|found| !found.is_empty())
}

fn content<'de, D: Deserializer<'de>>(
    from: D,
    expected: &str,
    is_valid: impl FnOnce(&[u8]) -> bool,
) -> Result<Option<String>, D::Error> {
    let Some(path) = values::optional_path(from)? else {
        return Ok(None);
    };
    let reason = match read(&path) {
        Ok(pem) if is_valid(&pem) => return Ok(Some(String::from_utf8_lossy(&pem).into_owned())),
        Ok(_) => String::new(),
        Err(error) => format!("; it cannot be read: {error}"),
    };
    let error = format_args!("expected a readable file with {expected} in PEM{reason}");
    Err(D::Error::custom(error))
}
