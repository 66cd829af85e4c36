//! The one error table: every failure, from whichever layer, leaves in this shape.
//!
//! `{"exception":"KeyNotFound","message":"...","code":404,"phrase":"Not Found"}`

use std::time::Duration;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ACCEPT_ENCODING, ALLOW, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use tracing::{debug, error};

use super::response;
use crate::{
    memory_budget::OverBudget,
    service::{AdminError, ServiceError},
    store::{StoreError, Table},
};

mod examples;

/// Seconds after which a client may try again when the store is away.
const RETRY_AFTER_SECONDS: &str = "1";

/// What a 401 asks for.
const BASIC_CHALLENGE: &str = "Basic realm=\"switchboard\", charset=\"UTF-8\"";

/// The same where only an API key is missing: 401 needs a challenge (RFC 9110 15.5.2), and this is none that makes
/// a browser ask for a password.
const API_KEY_CHALLENGE: &str = "ApiKey realm=\"switchboard\"";

/// Everything that can go wrong with a request, as its sender is told.
#[derive(Debug, Error)]
pub enum ApiError {
    /// JSON that is malformed or no object.
    #[error("Could not read JSON: {reason}")]
    UnreadableJson {
        /// What is wrong, with line and column.
        reason: String,
        /// 500, as the page has it, or what `api.unreadable_json_status` says.
        status: u16,
    },
    /// A body that is malformed, incomplete, or invalid in its charset.
    #[error("{0}")]
    InvalidBody(String),
    /// A parameter or name that is out of range or of the wrong form.
    #[error("{0}")]
    InvalidParameter(String),
    /// The request does not show what is asked for.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The request has none of the API keys that are asked for.
    #[error("{0}")]
    ApiKeyRequired(&'static str),
    /// A request that a page of another site makes a browser send.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A definition or resource group that is not allowed.
    #[error("{0}")]
    InvalidDefinition(String),
    /// The catalogue file defines it, so it cannot be changed here.
    #[error("{0}")]
    ReadOnly(String),
    /// It is in another state than the sender says.
    #[error("{0}")]
    PreconditionFailed(String),
    /// The sender does not say which state is to be changed.
    #[error("{0}")]
    PreconditionRequired(String),
    /// No such resource group.
    #[error("{0}")]
    GroupNotFound(String),
    /// No such booking.
    #[error("{0}")]
    BookingNotFound(String),
    /// No such configured service, or no such live one.
    #[error("{0}")]
    ServiceNotFound(String),
    /// The service holds no such key of the kind asked for.
    #[error("{0}")]
    KeyNotFound(String),
    /// The service knows no such request.
    #[error("{0}")]
    RequestNotFound(String),
    /// No booking fits a call.
    #[error("{0}")]
    NoMatch(String),
    /// The resource group has no free number.
    #[error("{message}")]
    NoAccessNumber {
        /// Which group.
        message: String,
        /// Seconds after which one may be free.
        retry_after: u64,
    },
    /// No such route.
    #[error("there is nothing at {0}")]
    NotFound(String),
    /// The route does not answer to this method.
    #[error("{method} is not allowed here, only {allow}")]
    MethodNotAllowed {
        /// The method used.
        method: String,
        /// Those that are allowed.
        allow: String,
    },
    /// Over a limit; says which and its value.
    #[error("{0}")]
    TooLarge(String),
    /// The `Idempotency-Key` was used for another request.
    #[error("{0}")]
    IdempotencyKeyReused(String),
    /// A content type that no body of this API has.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// A body that is compressed; the coding.
    #[error("the body has Content-Encoding {0}; send it without one, or with identity")]
    UnsupportedContentEncoding(String),
    /// More often than a limit allows.
    #[error("{message}")]
    TooManyRequests {
        /// Of what, and how many are allowed.
        message: String,
        /// Seconds after which it may be tried again.
        retry_after: u64,
    },
    /// A range outside of a binary of `size` bytes.
    #[error("the range lies outside of the binary, which has {size} bytes")]
    RangeNotSatisfiable {
        /// Bytes of the whole.
        size: u64,
    },
    /// A backend was not reached, or its answer cannot be passed on.
    #[error("{0}")]
    BackendUnreachable(String),
    /// A backend did not answer in time.
    #[error("{0}")]
    BackendTimeout(String),
    /// The memory for bodies is used up.
    #[error("{0}")]
    Overloaded(String),
    /// The store is away, or what it did is not known.
    #[error("{0}")]
    StoreUnavailable(&'static str),
    /// The store has no room.
    #[error("the store has no room for this; nothing was changed")]
    StoreFull,
    /// A fault of ours.
    #[error("this is a fault of the service; the request can be tried again")]
    Internal,
}

#[derive(Serialize)]
pub(super) struct ErrorBody {
    exception: &'static str,
    message: String,
    code: u16,
    phrase: &'static str,
}

/// The body of an error, whatever its source.
pub(super) fn body(exception: &'static str, message: String, status: StatusCode) -> ErrorBody {
    ErrorBody {
        exception,
        message,
        code: status.as_u16(),
        phrase: status.canonical_reason().unwrap_or_default(),
    }
}

impl ApiError {
    /// The JSON Schema of the body of every error.
    pub(super) fn schema() -> Value {
        json!({
            "description": "Why a request failed. A request that fails has changed nothing, or what it \
                            changed is told.",
            "type": "object",
            "properties": {
                "exception": {"type": "string", "description": "What went wrong, one word"},
                "message": {"type": "string", "description": "What was wrong, and what is allowed"},
                "code": {"type": "integer", "description": "The status of the answer"},
                "phrase": {"type": "string", "description": "The status in words"},
            },
            "required": ["exception", "message", "code", "phrase"],
            "additionalProperties": false,
        })
    }

    /// The table.
    fn row(&self) -> (&'static str, StatusCode) {
        match self {
            Self::UnreadableJson { status, .. } => {
                let status = StatusCode::from_u16(*status);
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                ("UnreadableJson", status)
            }
            Self::InvalidBody(_) => ("InvalidBody", StatusCode::BAD_REQUEST),
            Self::InvalidParameter(_) => ("InvalidParameter", StatusCode::BAD_REQUEST),
            Self::Unauthorized(_) | Self::ApiKeyRequired(_) => {
                ("Unauthorized", StatusCode::UNAUTHORIZED)
            }
            Self::Forbidden(_) => ("Forbidden", StatusCode::FORBIDDEN),
            Self::InvalidDefinition(_) => ("InvalidDefinition", StatusCode::BAD_REQUEST),
            Self::ReadOnly(_) => ("ReadOnly", StatusCode::CONFLICT),
            Self::PreconditionFailed(_) => ("PreconditionFailed", StatusCode::PRECONDITION_FAILED),
            Self::PreconditionRequired(_) => {
                ("PreconditionRequired", StatusCode::PRECONDITION_REQUIRED)
            }
            Self::GroupNotFound(_) => ("GroupNotFound", StatusCode::NOT_FOUND),
            Self::BookingNotFound(_) => ("BookingNotFound", StatusCode::NOT_FOUND),
            Self::ServiceNotFound(_) => ("ServiceNotFound", StatusCode::NOT_FOUND),
            Self::KeyNotFound(_) => ("KeyNotFound", StatusCode::NOT_FOUND),
            Self::RequestNotFound(_) => ("RequestNotFound", StatusCode::NOT_FOUND),
            Self::NoMatch(_) => ("NoMatch", StatusCode::NOT_FOUND),
            Self::NoAccessNumber { .. } => ("NoAccessNumber", StatusCode::SERVICE_UNAVAILABLE),
            Self::NotFound(_) => ("NotFound", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed { .. } => ("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::TooLarge(_) => ("TooLarge", StatusCode::PAYLOAD_TOO_LARGE),
            Self::IdempotencyKeyReused(_) => {
                ("IdempotencyKeyReused", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::UnsupportedMediaType(_) | Self::UnsupportedContentEncoding(_) => {
                ("UnsupportedMediaType", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::TooManyRequests { .. } => ("TooManyRequests", StatusCode::TOO_MANY_REQUESTS),
            Self::RangeNotSatisfiable { .. } => {
                ("RangeNotSatisfiable", StatusCode::RANGE_NOT_SATISFIABLE)
            }
            Self::BackendUnreachable(_) => ("BackendUnreachable", StatusCode::BAD_GATEWAY),
            Self::BackendTimeout(_) => ("BackendTimeout", StatusCode::GATEWAY_TIMEOUT),
            Self::Overloaded(_) => ("Overloaded", StatusCode::SERVICE_UNAVAILABLE),
            Self::StoreUnavailable(_) => ("StoreUnavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::StoreFull => ("StoreFull", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => ("Internal", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl ApiError {
    /// What it is called in its answer.
    #[must_use]
    pub fn exception(&self) -> &'static str {
        self.row().0
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.row().1
    }

    fn error_response(&self) -> HttpResponse {
        let (exception, status) = self.row();
        let mut response = response::with_default_headers(status);
        match self {
            Self::MethodNotAllowed { allow, .. } => {
                response.insert_header((ALLOW, allow.as_str()));
            }
            Self::RangeNotSatisfiable { size } => {
                response.insert_header((CONTENT_RANGE, format!("bytes */{size}")));
            }
            Self::UnsupportedContentEncoding(_) => {
                response.insert_header((ACCEPT_ENCODING, "identity"));
            }
            Self::Unauthorized(_) => {
                response.insert_header((WWW_AUTHENTICATE, BASIC_CHALLENGE));
            }
            Self::ApiKeyRequired(_) => {
                response.insert_header((WWW_AUTHENTICATE, API_KEY_CHALLENGE));
            }
            Self::NoAccessNumber { retry_after, .. }
            | Self::TooManyRequests { retry_after, .. } => {
                response.insert_header((RETRY_AFTER, retry_after.to_string()));
            }
            Self::Overloaded(_) | Self::StoreUnavailable(_) => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        response.json(body(exception, self.to_string(), status))
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let message = error.to_string();
        match error {
            ServiceError::NoSuchDefinition(_) | ServiceError::NoSuchService(_) => {
                Self::ServiceNotFound(message)
            }
            ServiceError::NoSuchKey { .. }
            | ServiceError::BinaryKey { .. }
            | ServiceError::NoSuchBinary { .. } => Self::KeyNotFound(message),
            ServiceError::NoSuchRequest { .. } => Self::RequestNotFound(message),
            ServiceError::NoMatch(_) => Self::NoMatch(message),
            ServiceError::NoAccessNumber {
                retry_after: wait, ..
            } => Self::NoAccessNumber {
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
            ServiceError::InvalidParameter(_) => Self::InvalidParameter(message),
            ServiceError::BackendUnreachable(_) => Self::BackendUnreachable(message),
            ServiceError::BackendTimeout(_) => Self::BackendTimeout(message),
            ServiceError::IdempotencyKeyReused => Self::IdempotencyKeyReused(message),
            ServiceError::TooManyKeys(_) => Self::TooLarge(message),
            ServiceError::UploadLost => {
                Self::StoreUnavailable("the request took too long and was given up; send it again")
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
            AdminError::Invalid(_) => Self::InvalidDefinition(message),
            AdminError::Unreadable(_) => Self::InvalidBody(message),
            AdminError::PreconditionFailed(_) => Self::PreconditionFailed(message),
            AdminError::PreconditionRequired(_) => Self::PreconditionRequired(message),
            AdminError::TooLarge(_) => Self::TooLarge(message),
            AdminError::NoSuchBooking { .. } => Self::BookingNotFound(message),
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

/// Who comes back after so many seconds does not come too early.
fn retry_after_seconds(wait: Duration) -> u64 {
    wait.as_secs().max(1) + u64::from(wait.subsec_millis() > 0)
}

/// The only bridge from the store's errors: their texts go to the log, here and nowhere else.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            // A lane that goes down or comes up is logged where that happens, not per request.
            StoreError::Unavailable(_) | StoreError::Conflict(_) => {
                debug!(%error);
                Self::StoreUnavailable("the store is away; nothing was changed, try again")
            }
            StoreError::Busy(_) => {
                debug!(%error);
                Self::StoreUnavailable(
                    "too many requests wait for the store; nothing was changed, try again",
                )
            }
            StoreError::Unknown(_) => {
                debug!(%error);
                Self::StoreUnavailable(
                    "the store did not answer; if this was to change something, whether it did is \
                     not known",
                )
            }
            // What is denied is logged by the checks of the store, which name all that is missing.
            StoreError::Denied(_) => {
                debug!(%error);
                Self::StoreUnavailable(
                    "the store denies this service a command or key that it needs; an operator has to \
                     grant it",
                )
            }
            StoreError::Full(_) => {
                error!(%error);
                Self::StoreFull
            }
            StoreError::Corrupt(_) | StoreError::Bug(_) => {
                error!(%error);
                Self::Internal
            }
        }
    }
}
