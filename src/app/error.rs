//! Why the service did not start, or did not go on.

use std::io;

use thiserror::Error;

use crate::{service::CatalogError, settings::SettingsError, store::StoreError};

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The catalogue is wrong.
    #[error("catalogue {0}")]
    Catalog(#[from] CatalogError),
    /// What the files of `[tls]` hold is no certificate and its key.
    #[error("{0}")]
    Tls(String),
    /// What `[backend]` says cannot be used.
    #[error("setting {0}")]
    Backends(String),
    /// The store cannot be used as it is set.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("setting `{setting}`: cannot listen on {address}: {error}")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address set.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// There is no store whose books could be looked through from outside.
    #[error("setting `redis.url` is not set: the embedded store's books end with its process")]
    RedisNotConfigured,
    /// It ran, and ended by itself.
    #[error("the server ended: {0}")]
    ServerFailed(io::Error),
}

impl StartError {
    /// Whether it is what was set that is wrong, and not what was met.
    #[must_use]
    pub fn is_about_settings(&self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::Catalog(_)
                | Self::Tls(_)
                | Self::Backends(_)
                | Self::RedisNotConfigured
        )
    }
}
