//! The error table: the response of every failure of every layer.
//!
//! `{"exception":"KeyNotFound","message":"...","code":404,"phrase":"Not Found"}`

use actix_web::http::StatusCode;
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::model::Revision;

mod conversions;
mod examples;
mod response;

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
    /// The `If-Match` or `If-None-Match` of a change of a storage does not match.
    #[error("{message}")]
    StorageChanged {
        /// The text.
        message: String,
        /// The current revision.
        current: Option<Revision>,
    },
    /// A change needs `If-Match`.
    #[error("{0}")]
    PreconditionRequired(String),
    /// No such resource group.
    #[error("{0}")]
    GroupNotFound(String),
    /// No such booking.
    #[error("{0}")]
    BookingNotFound(String),
    /// The resource group has no such number, or it is not quarantined.
    #[error("{0}")]
    NumberNotFound(String),
    /// No such webhook.
    #[error("{0}")]
    WebhookNotFound(String),
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
    /// The client sent a request to a chat that has ended.
    #[error("{0}")]
    ChatDisconnected(String),
    /// The transcript of a chat is full.
    #[error("{0}")]
    ChatFull(String),
    /// No agent is available for a new chat.
    #[error("{0}")]
    ChatUnavailable(String),
    /// A request of an agent on a chat that has ended.
    #[error("{0}")]
    ChatEnded(String),
    /// Another agent is in the chat.
    #[error("{0}")]
    ChatTaken(String),
    /// The agent is not in the chat.
    #[error("{0}")]
    NotInChat(String),
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

/// An error. The request changed nothing unless the message says otherwise.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorBody {
    /// Name of the error
    exception: &'static str,
    /// Cause of the error, and the allowed values
    message: String,
    /// Status code of the response
    code: u16,
    /// Reason phrase of the status
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
            Self::PreconditionFailed(_) | Self::StorageChanged { .. } => {
                ("PreconditionFailed", StatusCode::PRECONDITION_FAILED)
            }
            Self::PreconditionRequired(_) => {
                ("PreconditionRequired", StatusCode::PRECONDITION_REQUIRED)
            }
            Self::GroupNotFound(_) => ("GroupNotFound", StatusCode::NOT_FOUND),
            Self::BookingNotFound(_) => ("BookingNotFound", StatusCode::NOT_FOUND),
            Self::NumberNotFound(_) => ("NumberNotFound", StatusCode::NOT_FOUND),
            Self::WebhookNotFound(_) => ("WebhookNotFound", StatusCode::NOT_FOUND),
            Self::ServiceNotFound(_) => ("ServiceNotFound", StatusCode::NOT_FOUND),
            Self::KeyNotFound(_) => ("KeyNotFound", StatusCode::NOT_FOUND),
            Self::RequestNotFound(_) => ("RequestNotFound", StatusCode::NOT_FOUND),
            Self::NoMatch(_) => ("NoMatch", StatusCode::NOT_FOUND),
            Self::NoAccessNumber { .. } => ("NoAccessNumber", StatusCode::SERVICE_UNAVAILABLE),
            Self::ChatDisconnected(_) => ("ChatDisconnected", StatusCode::BAD_REQUEST),
            Self::ChatFull(_) => ("ChatFull", StatusCode::CONFLICT),
            Self::ChatUnavailable(_) => ("ChatUnavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::ChatEnded(_) => ("ChatEnded", StatusCode::CONFLICT),
            Self::ChatTaken(_) => ("ChatTaken", StatusCode::CONFLICT),
            Self::NotInChat(_) => ("NotInChat", StatusCode::CONFLICT),
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
