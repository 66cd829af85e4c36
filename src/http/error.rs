//! The error table: the response of every failure of every layer.
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
    model::{StoreError, Table},
    service::{AdminError, ServiceError},
};

mod examples;

/// The `Retry-After` of [`ApiError::Overloaded`] and [`ApiError::StoreUnavailable`], in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// The challenge of a 401 for credentials.
const BASIC_CHALLENGE: &str = "Basic realm=\"switchboard\", charset=\"UTF-8\"";

/// The challenge of a 401 for an API key. A 401 requires a challenge (RFC 9110 15.5.2), and browsers show no password
/// prompt for this one.
const API_KEY_CHALLENGE: &str = "ApiKey realm=\"switchboard\"";

/// An error of a request. The text is the `message` of the response.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The JSON body is malformed or not an object.
    #[error("Could not read JSON: {reason}")]
    UnreadableJson {
        /// The error, with line and column.
        reason: String,
        /// 500 as in the vendor's API, or `api.unreadable_json_status`.
        status: u16,
    },
    /// The body is malformed, incomplete, or invalid in its charset.
    #[error("{0}")]
    InvalidBody(String),
    /// A parameter or name is out of range or malformed.
    #[error("{0}")]
    InvalidParameter(String),
    /// The credentials are missing or wrong.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The API key is missing or wrong.
    #[error("{0}")]
    ApiKeyRequired(&'static str),
    /// A cross-site request of a browser.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A service definition or resource group is invalid.
    #[error("{0}")]
    InvalidDefinition(String),
    /// The catalog file defines the entry, so it cannot be changed here.
    #[error("{0}")]
    ReadOnly(String),
    /// The `If-Match` or `If-None-Match` of a request does not match.
    #[error("{0}")]
    PreconditionFailed(String),
    /// A change needs `If-Match`.
    #[error("{0}")]
    PreconditionRequired(String),
    /// No such resource group.
    #[error("{0}")]
    GroupNotFound(String),
    /// No such booking.
    #[error("{0}")]
    BookingNotFound(String),
    /// No such configured service, or no such active service.
    #[error("{0}")]
    ServiceNotFound(String),
    /// The service has no such key of the requested kind.
    #[error("{0}")]
    KeyNotFound(String),
    /// The service has no such request.
    #[error("{0}")]
    RequestNotFound(String),
    /// No booking matches a call.
    #[error("{0}")]
    NoMatch(String),
    /// The resource group has no free number.
    #[error("{message}")]
    NoAccessNumber {
        /// The text, without the name of the group, which is internal.
        message: String,
        /// Seconds after which a number may be free.
        retry_after: u64,
    },
    /// No such route.
    #[error("no route matches {0}")]
    NotFound(String),
    /// The route has no such method.
    #[error("{method} is not allowed for this path; allowed: {allow}")]
    MethodNotAllowed {
        /// The method of the request.
        method: String,
        /// The methods of the route.
        allow: String,
    },
    /// The request exceeds a limit, which the text names with its value.
    #[error("{0}")]
    TooLarge(String),
    /// The `Idempotency-Key` was used for another request.
    #[error("{0}")]
    IdempotencyKeyReused(String),
    /// The content type or charset of the body is not supported.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The body is compressed, with this coding.
    #[error("Content-Encoding {0} is not supported; send the body uncompressed")]
    UnsupportedContentEncoding(String),
    /// The request exceeds a rate limit.
    #[error("{message}")]
    TooManyRequests {
        /// The text, with the limit.
        message: String,
        /// Seconds until the limit allows the next request.
        retry_after: u64,
    },
    /// A range outside of a binary of `size` bytes.
    #[error("the range is outside of the binary, which has {size} bytes")]
    RangeNotSatisfiable {
        /// The size of the binary.
        size: u64,
    },
    /// A backend is unreachable, or its response is invalid.
    #[error("{0}")]
    BackendUnreachable(String),
    /// A backend did not respond in time.
    #[error("{0}")]
    BackendTimeout(String),
    /// A memory budget is exhausted.
    #[error("{0}")]
    Overloaded(String),
    /// The store is unavailable, or the result of an operation is unknown.
    #[error("{0}")]
    StoreUnavailable(&'static str),
    /// The store is full.
    #[error("the store is full; no changes were made")]
    StoreFull,
    /// A bug.
    #[error("internal error; the request can be retried")]
    Internal,
}

#[derive(Serialize)]
pub(super) struct ErrorBody {
    exception: &'static str,
    message: String,
    code: u16,
    phrase: &'static str,
}

/// The body of an error response.
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
            "description": "An error. The request changed nothing unless the message says otherwise.",
            "type": "object",
            "properties": {
                "exception": {"type": "string", "description": "Name of the error"},
                "message": {"type": "string", "description": "Cause of the error, and the allowed values"},
                "code": {"type": "integer", "description": "Status code of the response"},
                "phrase": {"type": "string", "description": "Reason phrase of the status"},
            },
            "required": ["exception", "message", "code", "phrase"],
            "additionalProperties": false,
        })
    }

    /// The error table.
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

    /// The name of the error in its response.
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
            ServiceError::InvalidParameter(_) => Self::InvalidParameter(message),
            ServiceError::BackendUnreachable(_) => Self::BackendUnreachable(message),
            ServiceError::BackendTimeout(_) => Self::BackendTimeout(message),
            ServiceError::IdempotencyKeyReused => Self::IdempotencyKeyReused(message),
            ServiceError::TooManyKeys(_) => Self::TooLarge(message),
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
