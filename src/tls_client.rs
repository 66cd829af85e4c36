//! The trusted certificates of TLS clients: of backends and of the trace collector.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tracing::warn;

/// A TLS configuration that trusts `authorities` (PEM, from `setting`) and, if `use_system` is set, those of
/// the system, which take a MiB of memory.
///
/// # Errors
/// An invalid certificate in `authorities`.
pub(crate) fn client_config(
    setting: &str,
    authorities: Option<&str>,
    use_system: bool,
) -> Result<ClientConfig, String> {
    let mut trusted = RootCertStore::empty();
    if use_system {
        let system = rustls_native_certs::load_native_certs();
        for error in system.errors {
            warn!(%error, "system certificates cannot be read");
        }
        trusted.add_parsable_certificates(system.certs);
    }
    let authorities = authorities.unwrap_or_default().as_bytes();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let invalid = |error: &dyn std::fmt::Display| format!("{setting}: {error}");
        let certificate = certificate.map_err(|error| invalid(&error))?;
        trusted.add(certificate).map_err(|error| invalid(&error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}
