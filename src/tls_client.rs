//! Whom TLS trusts where this service is the client: of backends, and of whoever collects traces.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tracing::warn;

/// TLS that trusts `authorities`, which is PEM and was set by `setting`, and with `system` those of the
/// system too: they take a MiB.
///
/// # Errors
/// What is wrong with `authorities`.
pub(crate) fn client_config(
    setting: &str,
    authorities: Option<&str>,
    system: bool,
) -> Result<ClientConfig, String> {
    let mut trusted = RootCertStore::empty();
    if system {
        let system = rustls_native_certs::load_native_certs();
        for error in system.errors {
            warn!(%error, "certificates of the system cannot be read");
        }
        trusted.add_parsable_certificates(system.certs);
    }
    let authorities = authorities.unwrap_or_default().as_bytes();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let wrong = |error: &dyn std::fmt::Display| format!("{setting}: {error}");
        let certificate = certificate.map_err(|error| wrong(&error))?;
        trusted.add(certificate).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}
