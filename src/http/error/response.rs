//! The response of an error.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ACCEPT_ENCODING, ALLOW, CONTENT_RANGE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};

use super::{ApiError, body};
use crate::http::{etag, response_headers};

/// The `Retry-After` of [`ApiError::Overloaded`] and [`ApiError::StoreUnavailable`], in seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// The `Retry-After` of [`ApiError::ChatUnavailable`], in seconds.
const CHAT_RETRY_AFTER_SECONDS: &str = "10";

/// The challenge of a 401 for credentials.
const BASIC_CHALLENGE: &str = "Basic realm=\"switchboard\", charset=\"UTF-8\"";

/// The challenge of a 401 for an API key. A 401 requires a challenge (RFC 9110 15.5.2), and browsers show no password
/// prompt for this one.
const API_KEY_CHALLENGE: &str = "ApiKey realm=\"switchboard\"";

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.row().1
    }

    fn error_response(&self) -> HttpResponse {
        let (exception, status) = self.row();
        let mut response = response_headers::with_default_headers(status);
        match self {
            Self::MethodNotAllowed { allow, .. } => {
                response.insert_header((ALLOW, allow.as_str()));
            }
            Self::StorageChanged {
                current: Some(revision),
                ..
            } => {
                response.insert_header((ETAG, etag::revision_tag(*revision)));
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
            Self::ChatUnavailable(_) => {
                response.insert_header((RETRY_AFTER, CHAT_RETRY_AFTER_SECONDS));
            }
            Self::Overloaded(_) | Self::StoreUnavailable(_) => {
                response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            _ => {}
        }
        response.json(body(exception, self.to_string(), status))
    }
}
