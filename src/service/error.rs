//! Why a service could not be created, asked or ended.

use thiserror::Error;

use crate::store::{KeyName, ServiceId, StoreError};

/// What is wrong with a request, in words for its sender; a fault of the store is kept apart.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// No configured service of that name.
    #[error("there is no configured service {0:?}")]
    NoSuchDefinition(String),
    /// No live service of that id.
    #[error("there is no service \"{0}\"; it may have ended")]
    NoSuchService(ServiceId),
    /// The service holds nothing under that name.
    #[error("service {id} holds no key {key:?}")]
    NoSuchKey {
        /// The service.
        id: ServiceId,
        /// The name asked for.
        key: String,
    },
    /// The name holds a binary, and a string was asked for.
    #[error(
        "key {:?} of service {id} is binary; read it at /genesys/1/service/{id}/storage/binary/...",
        key.as_str()
    )]
    BinaryKey {
        /// The service.
        id: ServiceId,
        /// The name asked for.
        key: KeyName,
    },
    /// The service holds no binary under that name.
    #[error("service {id} holds no binary key {key:?}")]
    NoSuchBinary {
        /// The service.
        id: ServiceId,
        /// The name asked for.
        key: String,
    },
    /// The service does not know that request.
    #[error("a service made from {definition:?} knows no request {request:?}, only \"update\"")]
    NoSuchRequest {
        /// The request asked for.
        request: String,
        /// Name of the configured service it was sent to.
        definition: String,
    },
    /// A parameter, or a name, out of its range or of the wrong form.
    #[error("{0}")]
    InvalidParameter(String),
    /// The service would hold more keys than allowed.
    #[error("the service would hold more than {0} keys (limits.keys)")]
    TooManyKeys(usize),
    /// The bytes of an upload did not last until they could be made visible.
    #[error("the upload took too long or was given up by the store; send it again")]
    UploadLost,
    /// The store could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceError {
    /// Whether it is certain that the request left everything as it was.
    pub(super) fn changed_nothing(&self) -> bool {
        use StoreError::{Bug, Corrupt, Unknown};
        !matches!(self, Self::Store(Unknown(_) | Corrupt(_) | Bug(_)))
    }
}
