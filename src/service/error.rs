//! Errors of service operations.

use std::time::Duration;

use thiserror::Error;

use super::{binary_path::binary_path, chat::chat_path};
use crate::{
    backend::BackendError,
    memory_budget::OverBudget,
    model::{KeyName, Revision, STORAGE_AREA, ServiceId, StoreError},
};

/// An error with a message for the client. Errors of the store are a separate variant.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// There is no configured service of this name.
    #[error("there is no configured service {0:?}")]
    NoSuchDefinition(String),
    /// There is no active service with this id.
    #[error("there is no {} \"{}\"; it may have expired", .0.kind(), .0.client_id())]
    NoSuchService(ServiceId),
    /// There is no active storage area or service that an id in a path of the Storage API can mean.
    #[error(
        "there is no storage area or service {id:?}; it may have expired{}",
        if *has_user { "" } else { " (storage areas with custom ids require the header gms_user)" }
    )]
    NoSuchStorage {
        /// The id in the path.
        id: String,
        /// Whether the request names its user.
        has_user: bool,
    },
    /// The service has no key of this name.
    #[error("{} {} has no key {key:?}", id.kind(), id.client_id())]
    NoSuchKey {
        /// The service.
        id: ServiceId,
        /// The requested name.
        key: String,
    },
    /// The key is a binary, not a string.
    #[error(
        "key {:?} of {} {} is binary; read it at {}",
        key.as_str(),
        id.kind(),
        id.client_id(),
        binary_path(id, key)
    )]
    BinaryKey {
        /// The service.
        id: ServiceId,
        /// The requested name.
        key: KeyName,
    },
    /// The service has no binary of this name.
    #[error("{} {} has no binary key {key:?}", id.kind(), id.client_id())]
    NoSuchBinary {
        /// The service.
        id: ServiceId,
        /// The requested name.
        key: String,
    },
    /// The service does not support the request.
    #[error(
        "{} do not support the request {request:?}; supported: {supported}",
        services_of(definition)
    )]
    NoSuchRequest {
        /// The request.
        request: String,
        /// The name of the configured service, or [`STORAGE_AREA`].
        definition: String,
        /// The supported requests.
        supported: String,
    },
    /// No booking matches the call.
    #[error("no booking matches a call to {0} with this access code and caller number")]
    NoMatch(String),
    /// All numbers of a group are booked.
    #[error("all access numbers are booked")]
    NoAccessNumber {
        /// When the next number may be free.
        retry_after: Duration,
    },
    /// The credentials are missing or wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// A rate limit is exceeded.
    #[error("{message}")]
    RateLimited {
        /// The exceeded limit.
        message: String,
        /// When the client can retry.
        retry_after: Duration,
    },
    /// A backend was unreachable, closed the connection or sent an invalid response.
    #[error("{0}")]
    BackendUnreachable(String),
    /// A backend did not respond in time.
    #[error("{0}")]
    BackendTimeout(String),
    /// The service has no chat yet.
    #[error("the chat of service {0} was not started; start it at {path}", path = chat_path(.0))]
    ChatNotStarted(ServiceId),
    /// A message is required.
    #[error("message is missing; expected the text of the message")]
    MissingMessage,
    /// The chat has ended.
    #[error("the chat has ended; no changes were made")]
    ChatEnded,
    /// Another agent is in the chat.
    #[error("another agent is in the chat; no changes were made")]
    ChatTaken,
    /// The agent is not in the chat.
    #[error("you are not in this chat; join it first")]
    NotInChat,
    /// The replica has as many event streams of agents as allowed.
    #[error(
        "this replica has {0} event streams of agents, the maximum (agents.max_streams); try again"
    )]
    TooManyAgentStreams(usize),
    /// The agent has as many event streams as allowed.
    #[error("you have {0} event streams on this replica, the maximum; close one and try again")]
    TooManyStreamsOfAgent(usize),
    /// Too many passwords are being verified.
    #[error("too many passwords are being verified; try again")]
    TooManyVerifications,
    /// The message exceeds the limit in bytes.
    #[error("the message is over {0} bytes (option _chat_message_bytes)")]
    MessageTooLong(u64),
    /// The transcript has its maximum number of events.
    #[error(
        "the chat has the maximum number of events (option _chat_max_events) or of members; nothing was changed"
    )]
    ChatFull,
    /// The chat has ended.
    #[error("the chat has ended")]
    ChatDisconnected,
    /// No agent is available for a new chat.
    #[error("no agent is available for this chat; try again later")]
    ChatUnavailable,
    /// The replica has as many event streams as allowed.
    #[error("this replica has {0} open event streams, the maximum (limits.watchers); try again")]
    TooManyWatchers(usize),
    /// The chat has as many event streams on this replica as allowed.
    #[error("the chat has {0} open event streams on this replica, the maximum; try again")]
    TooManyStreams(usize),
    /// The storage has as many event streams on this replica as allowed.
    #[error("the storage has {0} open event streams on this replica, the maximum; try again")]
    TooManyStorageStreams(usize),
    /// A parameter or name is invalid.
    #[error("{0}")]
    InvalidParameter(String),
    /// The same caller used the `Idempotency-Key` for another request.
    #[error("the Idempotency-Key was used for a different request; no changes were made")]
    IdempotencyKeyReused,
    /// The condition of a change of a storage is not met.
    #[error(
        "the storage has changed, does not exist, or has one of the names: {}; no changes were made",
        current.map_or_else(|| "there is none".to_owned(), |revision| format!("its current ETag is \"{revision}\""))
    )]
    ConditionFailed {
        /// The current revision; `None` if there is no storage.
        current: Option<Revision>,
    },
    /// The service would exceed the maximum number of keys.
    #[error("the service would have more than {0} keys (limits.keys)")]
    TooManyKeys(usize),
    /// The uploads or the booking of the request expired before the service was created.
    #[error("the request took too long and was aborted; send it again")]
    UploadLost,
    /// The memory budget is exhausted.
    #[error(transparent)]
    Overloaded(#[from] OverBudget),
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The services of a definition, for messages.
fn services_of(definition: &str) -> String {
    if definition == STORAGE_AREA {
        return "storage areas".to_owned();
    }
    format!("services of {definition:?}")
}

impl From<BackendError> for ServiceError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Unreachable(message) => Self::BackendUnreachable(message),
            BackendError::Timeout(message) => Self::BackendTimeout(message),
            BackendError::InvalidParameter(message) => Self::InvalidParameter(message),
            BackendError::UnsupportedRequest {
                request,
                definition,
                supported,
            } => Self::NoSuchRequest {
                request,
                definition,
                supported,
            },
            BackendError::Encode(error) => StoreError::Bug(error.to_string()).into(),
        }
    }
}

impl ServiceError {
    /// Whether it is certain that the request changed nothing.
    pub(super) fn had_no_effect(&self) -> bool {
        use StoreError::{Bug, Corrupt, Denied, Unknown};
        // A script that lacks permission for a command has already executed the commands before it.
        !matches!(
            self,
            Self::Store(Unknown(_) | Corrupt(_) | Denied(_) | Bug(_))
        )
    }
}
