//! Why a service could not be created, asked or ended.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use crate::{
    memory_budget::OverBudget,
    store::{KeyName, ServiceId, StoreError},
};

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
        "key {:?} of service {id} is binary; read it at /genesys/1/service/{id}/storage/binary/{}",
        key.as_str(),
        utf8_percent_encode(key.as_str(), NON_ALPHANUMERIC)
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
    #[error("a service made from {definition:?} knows no request {request:?}, only {supported}")]
    NoSuchRequest {
        /// The request asked for.
        request: String,
        /// Name of the configured service it was sent to.
        definition: String,
        /// Those that it knows.
        supported: String,
    },
    /// No booking fits a call.
    #[error("no service waits for a call to {0} with this code and from this number")]
    NoMatch(String),
    /// All numbers of a group are taken.
    #[error("all access numbers of resource group {group:?} are taken")]
    NoAccessNumber {
        /// The group.
        group: String,
        /// When the first one may be free.
        retry_after: Duration,
    },
    /// The request does not show what the service asks for.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// More often than a limit allows.
    #[error("{message}")]
    RateLimited {
        /// Of what, and how many are allowed.
        message: String,
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// A backend was not reached, broke off, or answered what cannot be passed on.
    #[error("{0}")]
    BackendUnreachable(String),
    /// A backend did not answer in time.
    #[error("{0}")]
    BackendTimeout(String),
    /// A parameter, or a name, out of its range or of the wrong form.
    #[error("{0}")]
    InvalidParameter(String),
    /// The `Idempotency-Key` belongs to another request of the same caller.
    #[error("this Idempotency-Key was used for another request; nothing was changed")]
    IdempotencyKeyReused,
    /// The service would hold more keys than allowed.
    #[error("the service would hold more than {0} keys (limits.keys)")]
    TooManyKeys(usize),
    /// What the request had uploaded or booked did not last until the service could be made.
    #[error("the request took too long and was given up; send it again")]
    UploadLost,
    /// The memory for bodies is used up.
    #[error(transparent)]
    Overloaded(#[from] OverBudget),
    /// The store could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServiceError {
    /// Whether it is certain that the request left everything as it was.
    pub(super) fn had_no_effect(&self) -> bool {
        use StoreError::{Bug, Corrupt, Denied, Unknown};
        // A script that is denied a command has done what stands before it.
        !matches!(
            self,
            Self::Store(Unknown(_) | Corrupt(_) | Denied(_) | Bug(_))
        )
    }
}
