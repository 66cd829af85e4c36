//! Errors that prevent the start of the service or end it.

use std::io;

use thiserror::Error;

use crate::{model::StoreError, service::CatalogError, settings::SettingsError};

/// An error that prevents the start of the service or ends it.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The catalog is invalid.
    #[error("catalog {0}")]
    Catalog(#[from] CatalogError),
    /// The files of `[tls]` do not contain a certificate and its key.
    #[error("{0}")]
    Tls(String),
    /// A setting of `[backend]` cannot be used.
    #[error("setting {0}")]
    Backends(String),
    /// A setting of `[webhooks]` cannot be used.
    #[error("setting {0}")]
    Webhooks(String),
    /// A setting of `[single_sign_on]` cannot be used.
    #[error("setting {0}")]
    SingleSignOn(String),
    /// The random generator of the operating system failed.
    #[error("the random generator of the operating system failed")]
    Random,
    /// The store cannot be used with these settings, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Binding the address failed.
    #[error("setting `{setting}`: cannot listen on {address}: {error}")]
    Listen {
        /// The setting with the address.
        setting: &'static str,
        /// The address.
        address: String,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The command needs Redis; the embedded store is not accessible from other processes.
    #[error(
        "setting `redis.url` is not set: the embedded store is not accessible from this command"
    )]
    RedisNotConfigured,
    /// A server ended by itself.
    #[error("server failed: {0}")]
    ServerFailed(io::Error),
}

impl StartError {
    /// Whether the cause is a setting or the catalog, and not the environment at run time.
    #[must_use]
    pub fn is_about_settings(&self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::Catalog(_)
                | Self::Tls(_)
                | Self::Backends(_)
                | Self::Webhooks(_)
                | Self::SingleSignOn(_)
                | Self::RedisNotConfigured
        )
    }
}
