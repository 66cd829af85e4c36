//! Certificates of the listeners: read at the start, and again when their files change.
//!
//! A handshake takes whatever is current; connections go on with what they began with. Files that are
//! wrong (half written, or a key that is of another certificate) change nothing but the log.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time;
use tracing::{info, warn};

use super::StartError;
use crate::{
    settings::{Tls, TlsFilesVersion},
    tls_errors,
};

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificates {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    loaded_version: TlsFilesVersion,
}

impl Certificates {
    /// What is in the files.
    ///
    /// # Errors
    /// [`StartError::Settings`] for a file that cannot be read, [`StartError::Tls`] for what is in it.
    pub(super) fn load(files: &Tls) -> Result<Arc<Self>, StartError> {
        let provider = Arc::new(ring::default_provider());
        // Looked at before they are read: what changes meanwhile is read again.
        let read = files.files_version();
        let current = read_files(files, &provider)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            provider,
            current: RwLock::new(Arc::new(current)),
            loaded_version: read,
        }))
    }

    /// TLS 1.2 and 1.3 with whatever certificate is current. The web server adds what it speaks.
    ///
    /// # Errors
    /// [`StartError::Tls`].
    pub(super) fn config(self: &Arc<Self>) -> Result<ServerConfig, StartError> {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let config = config
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error(&error))?;
        let resolver = Arc::clone(self) as Arc<dyn ResolvesServerCert>;
        Ok(config.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Looks at the files, and takes up what is new, for as long as it is polled.
    pub(super) async fn reload_on_change(self: Arc<Self>) {
        let mut read = self.loaded_version;
        loop {
            time::sleep(POLL_INTERVAL).await;
            let version = self.files.files_version();
            if version == read {
                continue;
            }
            read = version;
            match read_files(&self.files, &self.provider) {
                Ok(fresh) => {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(fresh);
                    info!("the certificate was changed and is taken up");
                }
                Err(error) => warn!(%error, "the certificate was changed and stays as it was"),
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

fn read_files(files: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey, StartError> {
    let read = files.read_files()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read.certificates).collect();
    let chain = chain.map_err(|error| tls_file_error("certificate_file", &error))?;
    if chain.is_empty() {
        return Err(tls_file_error("certificate_file", &"it has no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read.key);
    let key = key.map_err(|error| tls_file_error("key_file", &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| tls_error(&error))
}

fn tls_file_error(setting: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Tls(format!("setting `tls.{setting}`: {error}"))
}

fn tls_error(error: &rustls::Error) -> StartError {
    let told = tls_errors::with_advice(error.to_string());
    StartError::Tls(format!("settings [tls]: {told}"))
}
