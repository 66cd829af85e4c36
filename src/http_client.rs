//! The HTTP client for backends, webhooks, the identity provider, the trace collector and the health check.

use std::{sync::LazyLock, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, redirect, retry};
use rustls::crypto::{CryptoProvider, ring};

pub(crate) use self::{
    address_policy::{AddressNotAllowed, AddressPolicy},
    body::{BodyError, read_response_body},
    resolver::{PolicyResolver, SystemResolver},
};
use crate::tls_errors;

mod address_policy;
mod body;
mod resolver;

/// The idle timeout of a connection. It is shorter than the five seconds of common servers, so that no request uses a
/// connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Which certificate authorities a client trusts, in addition to those of a PEM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemAuthorities {
    /// Those of the system, which take a MiB of memory.
    Trusted,
    /// None: the client does not use TLS.
    Ignored,
}

/// A client that uses HTTP/1.1 and no proxy, follows no redirects, and sends a request once. (It sends a request on
/// another connection if the server closes an idle connection before a byte is written.)
pub(crate) fn builder() -> ClientBuilder {
    /// The TLS implementation of all clients. `reqwest` requires it also without TLS.
    static PROVIDER: LazyLock<()> = LazyLock::new(|| {
        if CryptoProvider::get_default().is_none() {
            // It fails if another thread has installed it.
            drop(ring::default_provider().install_default());
        }
    });
    LazyLock::force(&PROVIDER);
    Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .pool_idle_timeout(IDLE_TIMEOUT)
}

/// Builds a client that trusts `authorities` (PEM, from `setting`) and, unless they are ignored, those of the system.
///
/// # Errors
/// An invalid certificate in `authorities`, or no certificate although those of the system are trusted.
pub(crate) fn build_with_authorities(
    builder: ClientBuilder,
    setting: &str,
    authorities: Option<&str>,
    system: SystemAuthorities,
) -> Result<Client, String> {
    let invalid = |error: reqwest::Error| format!("{setting}: {}", tls_errors::error_chain(&error));
    let authorities = authorities.unwrap_or_default().as_bytes();
    let authorities = Certificate::from_pem_bundle(authorities).map_err(invalid)?;
    let builder = match system {
        SystemAuthorities::Trusted => builder.tls_certs_merge(authorities),
        SystemAuthorities::Ignored => builder.tls_certs_only(authorities),
    };
    builder.build().map_err(invalid)
}
