//! The events of live pages.

use actix_web::{HttpResponse, web::Bytes};
use askama::Template;

use crate::http::event_stream::{event_stream_response, html_event};

/// The content of a live page after its session has expired.
#[derive(Template)]
#[template(path = "session_expired.html")]
struct SessionExpired;

/// The response to the stream request of a page whose session has expired.
pub(super) fn session_expired_response() -> HttpResponse {
    event_stream_response().body(session_expired_event())
}

pub(super) fn session_expired_event() -> Bytes {
    let html = SessionExpired.render().unwrap_or_default();
    html_event("session-expired", &html)
}
