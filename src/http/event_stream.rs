//! Server-sent events.

use std::{
    convert::Infallible,
    fmt::{self, Write},
    ops::Range,
};

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::CONTENT_TYPE},
    web::Bytes,
};
use futures_util::{Stream, StreamExt, future, stream};
use serde::Serialize;

use super::{ApiError, response};

/// The delay in milliseconds after which a client reconnects to a stream that was interrupted.
const RETRY_MS: u64 = 1_000;
/// The range of the delay when a stream ends because the replica is shutting down or cannot serve it: short, but random,
/// so that clients do not all reconnect at the same time.
const RETRY_ELSEWHERE_MS: Range<u64> = 100..1_000;

/// The head of a response with a stream.
pub(super) fn event_stream_response() -> HttpResponseBuilder {
    let mut response = response::with_default_headers(StatusCode::OK);
    response
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Disables response buffering in proxies.
        .insert_header(("x-accel-buffering", "no"));
    response
}

/// A response with a stream of events, after the delay before clients reconnect.
pub(super) fn stream_events(
    events: impl Stream<Item = Result<Bytes, Infallible>> + 'static,
) -> HttpResponse {
    let opening = Bytes::from(format!("retry: {RETRY_MS}\n\n"));
    let opening = stream::once(future::ready(Ok(opening)));
    event_stream_response().streaming(opening.chain(events))
}

/// The last bytes of a stream that another replica, or this one later, can continue: clients reconnect soon.
pub(super) fn reconnect_elsewhere() -> Bytes {
    let delay = rand::random_range(RETRY_ELSEWHERE_MS);
    Bytes::from(format!("retry: {delay}\n\n"))
}

/// A comment, which shows clients and proxies that the stream is alive.
pub(super) fn heartbeat() -> Bytes {
    Bytes::from_static(b": heartbeat\n\n")
}

/// An event with `data` as JSON, which has no line feeds. Without an `event` it is a message.
///
/// # Errors
/// [`ApiError::Internal`] if the data cannot be serialized, which is a bug.
pub(super) fn json_event(
    event: Option<&str>,
    id: impl fmt::Display,
    data: &impl Serialize,
) -> Result<Bytes, ApiError> {
    let json = serde_json::to_string(data).map_err(|error| {
        tracing::error!(%error, "event serialization failed");
        ApiError::Internal
    })?;
    let mut text = String::with_capacity(json.len() + 64);
    if let Some(event) = event {
        text.push_str("event: ");
        text.push_str(event);
        text.push('\n');
    }
    write!(text, "id: {id}\ndata: {json}\n\n").unwrap_or_default();
    Ok(Bytes::from(text))
}

/// An event with the lines of `html`.
pub(super) fn html_event(name: &str, html: &str) -> Bytes {
    let mut event = format!("event: {name}\n");
    for line in html.lines().filter(|line| !line.trim().is_empty()) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}
