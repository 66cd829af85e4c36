//! Certificates of the listeners, loaded at startup and reloaded when their files change.
//!
//! A handshake uses the current certificate; existing connections are not affected. Invalid files
//! (partially written, or a key of another certificate) are logged and ignored.

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

/// Interval of checking the files for changes.
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
    /// Loads the files.
    ///
    /// # Errors
    /// [`StartError::Settings`] for an unreadable file, [`StartError::Tls`] for invalid content.
    pub(super) fn load(files: &Tls) -> Result<Arc<Self>, StartError> {
        let provider = Arc::new(ring::default_provider());
        // Before reading, so that a change in between causes another reload.
        let loaded_version = files.files_version();
        let current = read_files(files, &provider)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            provider,
            current: RwLock::new(Arc::new(current)),
            loaded_version,
        }))
    }

    /// TLS 1.2 and 1.3 with the current certificate. The web server adds the ALPN protocols.
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

    /// Reloads the files when they change, until the future is dropped.
    pub(super) async fn reload_on_change(self: Arc<Self>) {
        let mut loaded = self.loaded_version;
        loop {
            time::sleep(POLL_INTERVAL).await;
            let version = self.files.files_version();
            if version == loaded {
                continue;
            }
            loaded = version;
            match read_files(&self.files, &self.provider) {
                Ok(reloaded) => {
                    let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(reloaded);
                    info!("certificate reloaded");
                }
                Err(error) => warn!(%error, "certificate reload failed"),
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
    let contents = files.read_files()?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.certificates).collect();
    let chain = chain.map_err(|error| tls_file_error("certificate_file", &error))?;
    if chain.is_empty() {
        return Err(tls_file_error(
            "certificate_file",
            &"it contains no certificate",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&contents.key);
    let key = key.map_err(|error| tls_file_error("key_file", &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| tls_error(&error))
}

fn tls_file_error(setting: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Tls(format!("setting `tls.{setting}`: {error}"))
}

fn tls_error(error: &rustls::Error) -> StartError {
    let text = tls_errors::with_advice(error.to_string());
    StartError::Tls(format!("settings [tls]: {text}"))
}
