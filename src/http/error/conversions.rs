//! Conversions of the errors of other layers.

use std::time::Duration;

use tracing::{debug, error};

use super::ApiError;
use crate::{
    memory_budget::OverBudget,
    model::{StoreError, Table},
    service::{AdminError, ServiceError},
};

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        match error {
            ServiceError::NoSuchDefinition(_)
            | ServiceError::NoSuchService(_)
            | ServiceError::NoSuchStorage { .. } => Self::ServiceNotFound(message),
            ServiceError::NoSuchKey { .. }
            | ServiceError::BinaryKey { .. }
            | ServiceError::NoSuchBinary { .. } => Self::KeyNotFound(message),
            ServiceError::NoSuchRequest { .. } | ServiceError::ChatNotStarted(_) => {
                Self::RequestNotFound(message)
            }
            ServiceError::NoMatch(_) => Self::NoMatch(message),
            ServiceError::NoAccessNumber { retry_after: wait } => Self::NoAccessNumber {
                message,
                retry_after: retry_after_seconds(wait),
            },
            ServiceError::Unauthorized(reason) => Self::Unauthorized(reason),
            ServiceError::RateLimited {
                retry_after: wait, ..
            } => Self::TooManyRequests {
                message,
                retry_after: retry_after_seconds(wait),
            },
            ServiceError::MissingMessage => Self::UnsupportedMediaType(message),
            ServiceError::ChatFull => Self::ChatFull(message),
            ServiceError::ChatDisconnected => Self::ChatDisconnected(message),
            ServiceError::ChatUnavailable => Self::ChatUnavailable(message),
            ServiceError::InvalidParameter(_) => Self::InvalidParameter(message),
            ServiceError::BackendUnreachable(_) => Self::BackendUnreachable(message),
            ServiceError::BackendTimeout(_) => Self::BackendTimeout(message),
            ServiceError::ChatEnded => Self::ChatEnded(message),
            ServiceError::ChatTaken => Self::ChatTaken(message),
            ServiceError::NotInChat => Self::NotInChat(message),
            ServiceError::TooManyWatchers(_)
            | ServiceError::TooManyStreams(_)
            | ServiceError::TooManyStorageStreams(_)
            | ServiceError::TooManyAgentStreams(_)
            | ServiceError::TooManyStreamsOfAgent(_)
            | ServiceError::TooManyVerifications => Self::Overloaded(message),
            ServiceError::ConditionFailed { current } => Self::StorageChanged { message, current },
            ServiceError::IdempotencyKeyReused => Self::IdempotencyKeyReused(message),
            ServiceError::TooManyKeys(_) | ServiceError::MessageTooLong(_) => {
                Self::TooLarge(message)
            }
            ServiceError::UploadLost => {
                Self::StoreUnavailable("the request took too long and was aborted; retry it")
            }
            ServiceError::Overloaded(error) => Self::from(error),
            ServiceError::Store(error) => Self::from(error),
        }
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        let message = error.to_string();
        match error {
            AdminError::NoSuchEntry(Table::Services, _) => Self::ServiceNotFound(message),
            AdminError::NoSuchEntry(Table::Resources, _) => Self::GroupNotFound(message),
            AdminError::ReadOnly(..) => Self::ReadOnly(message),
            AdminError::InvalidEntry(_) | AdminError::Invalid(_) => {
                Self::InvalidDefinition(message)
            }
            AdminError::Unreadable(_) => Self::InvalidBody(message),
            AdminError::PreconditionFailed(_) => Self::PreconditionFailed(message),
            AdminError::PreconditionRequired(_) => Self::PreconditionRequired(message),
            AdminError::TooLarge(_) => Self::TooLarge(message),
            AdminError::NoSuchBooking { .. } => Self::BookingNotFound(message),
            AdminError::NoSuchNumber(..) | AdminError::NotQuarantined(..) => {
                Self::NumberNotFound(message)
            }
            AdminError::NoSuchWebhook(_) => Self::WebhookNotFound(message),
            AdminError::Service(error) => Self::from(error),
        }
    }
}

impl From<OverBudget> for ApiError {
    fn from(error: OverBudget) -> Self {
        let message = error.to_string();
        match error {
            OverBudget::Exhausted { .. } => Self::Overloaded(message),
            OverBudget::TooLarge { .. } => Self::TooLarge(message),
        }
    }
}

/// The seconds of `Retry-After`: rounded up, at least one.
fn retry_after_seconds(wait: Duration) -> u64 {
    wait.as_secs().max(1) + u64::from(wait.subsec_millis() > 0)
}

/// The only conversion of store errors. Their texts go to the log and are not part of the response.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            // The store logs lost and restored connections, so requests do not.
            StoreError::Unavailable(_) | StoreError::Conflict(_) => {
                debug!(%error, "store operation failed");
                Self::StoreUnavailable(
                    "the store is unavailable; no changes were made; retry later",
                )
            }
            StoreError::Busy(_) => {
                debug!(%error, "store operation failed");
                Self::StoreUnavailable(
                    "the store has too many requests in flight; no changes were made; retry later",
                )
            }
            StoreError::Unknown(_) => {
                debug!(%error, "store operation failed");
                Self::StoreUnavailable(
                    "the store did not respond; if the request was a change, it is unknown whether \
                     it was made",
                )
            }
            // The checks of the store log all missing permissions.
            StoreError::Denied(_) => {
                debug!(%error, "store operation failed");
                Self::StoreUnavailable(
                    "the store denies access to a command or key; an operator must grant it",
                )
            }
            StoreError::Full(_) => {
                error!(%error, "store full");
                Self::StoreFull
            }
            StoreError::Corrupt(_) | StoreError::Bug(_) => {
                error!(%error, "internal store error");
                Self::Internal
            }
        }
    }
}
