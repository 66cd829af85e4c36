//! Errors of requests to backends.

use thiserror::Error;

use super::{
    definition::{BackendDefinition, BackendKind},
    exchange::{BackendResponse, Failure},
};

/// An error with a message for the client.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The backend was unreachable, closed the connection or sent an invalid response.
    #[error("{0}")]
    Unreachable(String),
    /// The backend did not respond in time.
    #[error("{0}")]
    Timeout(String),
    /// A parameter cannot be part of the URL.
    #[error("{0}")]
    InvalidParameter(String),
    /// The service does not support the request.
    #[error("the request {request:?} is not supported; supported: {supported}")]
    UnsupportedRequest {
        /// The request.
        request: String,
        /// The name of the configured service.
        definition: String,
        /// The supported requests.
        supported: String,
    },
    /// The request cannot be encoded.
    #[error(transparent)]
    Encode(#[from] serde_json::Error),
}

impl BackendDefinition {
    /// The error for an invalid response. It contains the status and content type, never the body.
    pub(super) fn invalid_response(&self, response: &BackendResponse, what: &str) -> BackendError {
        let status = response.status.as_u16();
        let kind = &response.content_type;
        self.unreachable(&format!(
            "{} responded with {status} and {kind:?}, {what}",
            self.backend_label()
        ))
    }

    /// The error for a missing or incomplete response.
    pub(super) fn failure_error(&self, failure: Failure) -> BackendError {
        const UNKNOWN: &str = "it is unknown whether the request took effect";
        let backend = self.backend_label();
        match failure {
            Failure::CircuitOpen | Failure::ConnectError => {
                self.unreachable(&format!("cannot connect to {backend}"))
            }
            Failure::TimedOut(timeout) => {
                let timeout = timeout.as_millis();
                let message = format!("{backend} did not respond within {timeout} ms; {UNKNOWN}");
                BackendError::Timeout(self.message(&message))
            }
            Failure::ConnectionError => self.unreachable(&format!(
                "{backend} closed the connection before its response was complete; {UNKNOWN}"
            )),
            Failure::ResponseTooLarge(limit) => self.unreachable(&format!(
                "the response of {backend} exceeds {limit} bytes (backend.max_response_bytes)"
            )),
        }
    }

    pub(super) fn unreachable(&self, what: &str) -> BackendError {
        BackendError::Unreachable(self.message(what))
    }

    fn message(&self, what: &str) -> String {
        match self.kind {
            BackendKind::Ors(_) => format!("ORS request failed: {what}"),
            BackendKind::Http(_) => format!("HTTP request failed: {what}"),
        }
    }

    pub(super) fn backend_label(&self) -> &'static str {
        match self.kind {
            BackendKind::Ors(_) => "ORS",
            BackendKind::Http(_) => "the backend",
        }
    }
}
