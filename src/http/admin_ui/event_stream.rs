//! Server-sent events of live pages.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::CONTENT_TYPE},
    web::Bytes,
};
use askama::Template;

use crate::http::response;

/// The content of a live page after its session has expired.
#[derive(Template)]
#[template(path = "session_expired.html")]
struct SessionExpired;

/// The response to the stream request of a page whose session has expired.
pub(super) fn session_expired_response() -> HttpResponse {
    event_stream_response().body(session_expired_event())
}

pub(super) fn event_stream_response() -> HttpResponseBuilder {
    let mut response = response::with_default_headers(StatusCode::OK);
    response
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Disables response buffering in proxies.
        .insert_header(("x-accel-buffering", "no"));
    response
}

pub(super) fn session_expired_event() -> Bytes {
    format_event(
        "session-expired",
        &SessionExpired.render().unwrap_or_default(),
    )
}

/// An event with the lines of `html`.
pub(super) fn format_event(name: &str, html: &str) -> Bytes {
    let mut event = format!("event: {name}\n");
    for line in html.lines().filter(|line| !line.trim().is_empty()) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}
