//! One HTTP exchange with a backend: the request, and its response of limited size.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, Client, Method, Request, Response, StatusCode, Url, header::CONTENT_TYPE};
use tokio::time::Instant;
use tracing::{Instrument, debug, warn};

use super::{request::BackendRequest, time_limits::with_time_limits};
use crate::{
    http_client::{BodyError, read_response_body},
    settings,
    telemetry::{metrics::BackendOutcome, traces},
    tls_errors,
};

/// Maximum size of an error's body that is read so that the connection can be reused.
const MAX_DRAINED_BYTES: usize = 64 * 1024;
/// Maximum number of characters of a content type in messages.
const MAX_CONTENT_TYPE_CHARS: usize = 100;

/// A response of any status.
#[derive(Debug)]
pub(super) struct BackendResponse {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The circuit breaker is open. Nothing was sent.
    CircuitOpen,
    /// No connection was established in time. Nothing was sent.
    ConnectError,
    /// The response timed out.
    TimedOut(Duration),
    /// The connection was lost, or the response is not HTTP.
    ConnectionError,
    /// The response exceeds this number of bytes.
    ResponseTooLarge(usize),
}

/// Sends `request` to the backend at `base` by `client`, and reads the response.
pub(super) async fn exchange(
    client: &Client,
    settings: &settings::Backend,
    base: &str,
    request: &BackendRequest<'_>,
    connect_deadline: Instant,
) -> Result<BackendResponse, Failure> {
    let mut http_request = build_request(base, request).ok_or(Failure::ConnectError)?;
    let span = traces::backend_span(method_name(&request.method), base);
    traces::inject_context(&span, http_request.headers_mut());
    let send = send(client, base, http_request, settings.max_response_bytes);
    let timeout = settings.response_timeout;
    let send = with_time_limits(connect_deadline, timeout, send);
    let result = send.instrument(span.clone()).await;
    let result = result.unwrap_or(Err(Failure::TimedOut(timeout)));
    match &result {
        Ok(response) => traces::record_status(&span, response.status.as_u16()),
        Err(_) => traces::record_error(&span, outcome(&result).name()),
    }
    result
}

/// The outcome for metrics and traces.
pub(super) fn outcome(result: &Result<BackendResponse, Failure>) -> BackendOutcome {
    match result {
        Ok(response) if response.status.is_success() => BackendOutcome::Success,
        Ok(_) => BackendOutcome::HttpError,
        Err(Failure::CircuitOpen) => BackendOutcome::CircuitOpen,
        Err(Failure::ConnectError) => BackendOutcome::ConnectError,
        Err(Failure::TimedOut(_)) => BackendOutcome::Timeout,
        Err(Failure::ConnectionError) => BackendOutcome::ConnectionError,
        Err(Failure::ResponseTooLarge(_)) => BackendOutcome::ResponseTooLarge,
    }
}

fn build_request(base: &str, request: &BackendRequest<'_>) -> Option<Request> {
    let url = Url::parse(&[base, &request.path].concat()).ok()?;
    let mut http_request = Request::new(request.method.clone(), url);
    if !request.body.is_empty() {
        *http_request.body_mut() = Some(Body::from(request.body.clone()));
    }
    request.add_headers(http_request.headers_mut());
    Some(http_request)
}

/// The static name of a method that options allow.
fn method_name(method: &Method) -> &'static str {
    let names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    let name = names.into_iter().find(|name| *name == method.as_str());
    name.unwrap_or("HTTP")
}

async fn send(
    client: &Client,
    base: &str,
    request: Request,
    max_response_bytes: usize,
) -> Result<BackendResponse, Failure> {
    let response = client.execute(request).await;
    let response = response.map_err(|error| {
        let error = error.without_url();
        let reason = tls_errors::error_chain(&error);
        if tls_errors::advice(&reason).is_some() {
            let reason = tls_errors::with_advice(reason);
            warn!(base, reason, "backend TLS connection failed");
        } else {
            debug!(base, reason, "backend request failed");
        }
        if error.is_connect() {
            Failure::ConnectError
        } else {
            Failure::ConnectionError
        }
    })?;
    read_response(response, max_response_bytes).await
}

/// Reads a response of at most `limit` bytes. Of an error only a part is read, since only its status is reported.
async fn read_response(mut response: Response, limit: usize) -> Result<BackendResponse, Failure> {
    let mut result = BackendResponse {
        status: response.status(),
        content_type: content_type(&response),
        body: Bytes::new(),
    };
    if result.status.is_success() {
        let body = read_response_body(&mut response, limit).await;
        result.body = body.map_err(|error| match error {
            BodyError::TooLarge => Failure::ResponseTooLarge(limit),
            BodyError::Connection => Failure::ConnectionError,
        })?;
    } else {
        drop(read_response_body(&mut response, limit.min(MAX_DRAINED_BYTES)).await);
    }
    Ok(result)
}

fn content_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE);
    let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = value.unwrap_or_default();
    value.chars().take(MAX_CONTENT_TYPE_CHARS).collect()
}
