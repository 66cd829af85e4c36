//! The events of a chat, as server-sent events.

use std::convert::Infallible;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, stream};
use serde::Serialize;

use super::service_requests;
use crate::{
    http::{
        ApiError, AppState, body, event_stream,
        openapi::{
            errors::{ClientErrors, RequestNotFound, ServiceNotFound},
            parameters::{LastEventHeader, PositionQuery, ServiceIdPath, UserHeader},
        },
        path, response,
    },
    model::{chat::ChatAction, readiness::Readiness},
    service::{ChatObject, ChatStream, ChatStreamItem, parse_position, transcript_position},
};

/// The responses of the streams of one chat.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) enum ChatStreamResponses {
    /// Events
    #[response(status = 200, content_type = "text/event-stream")]
    Events(String),
    /// The chat has ended, and the listener has all events
    #[response(status = 204)]
    Ended,
}

const DESCRIPTION: &str = "\
    Server-sent events: a message per chat object, whose id is the position of its last event; the event `end` after the \
    end of the chat or of the service. Clients resume with `Last-Event-ID`, on any replica. Services with a backend forward \
    the request to it.";

/// `GET /genesys/1/service/{id}/ixn/chat/events`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/ixn/chat/events",
    operation_id = "streamChat",
    tag = "chats",
    summary = "Stream the events of a chat",
    description = DESCRIPTION,
    params(ServiceIdPath, PositionQuery, LastEventHeader, UserHeader),
    responses(ChatStreamResponses, ClientErrors, ServiceNotFound, RequestNotFound),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn stream_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if state.readiness.is_draining() {
        let body = event_stream::reconnect_elsewhere();
        return Ok(event_stream::event_stream_response().body(body));
    }
    let id = path::service_id(&request)?;
    let position = stream_position(&state, &request)?;
    let opened = state
        .services
        .open_chat_stream(&id, ChatAction::ClientPresent, position);
    match opened.await? {
        Some(stream) if stream.is_over() => Ok(response::no_content()),
        Some(stream) => Ok(stream_response(stream, state.readiness.clone())),
        // The service may have a backend.
        None => service_requests::send_request(state, request, payload).await,
    }
}

/// `POST /genesys/1/service/{id}/ixn/chat/events`
#[utoipa::path(
    post,
    path = "/genesys/1/service/{id}/ixn/chat/events",
    operation_id = "streamChatByPost",
    tag = "chats",
    summary = "Stream the events of a chat",
    description = DESCRIPTION,
    params(ServiceIdPath, PositionQuery, LastEventHeader, UserHeader),
    responses(ChatStreamResponses, ClientErrors, ServiceNotFound, RequestNotFound),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn stream_chat_by_post(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    stream_chat(state, request, payload).await
}

/// The position in `Last-Event-ID`, or else in the query.
pub(in crate::http) fn stream_position(
    state: &AppState,
    request: &HttpRequest,
) -> Result<u64, ApiError> {
    let query = body::parse_query(state, request)?;
    let header = "last-event-id";
    let last_id = request.headers().get(header);
    let last_id = last_id.map(|value| value.to_str().unwrap_or("?"));
    if let Some(last_id) = last_id.filter(|last_id| !last_id.is_empty()) {
        return Ok(parse_position(header, last_id)?);
    }
    Ok(transcript_position(&query)?.unwrap_or(0))
}

/// The response with the events of `stream`.
pub(in crate::http) fn stream_response(stream: ChatStream, readiness: Readiness) -> HttpResponse {
    event_stream::stream_events(events(stream, readiness))
}

/// The data of the last event.
#[derive(Serialize)]
struct End {
    reason: &'static str,
}

/// The events until the end of the chat, or until the replica is shutting down.
fn events(
    stream: ChatStream,
    readiness: Readiness,
) -> impl Stream<Item = Result<web::Bytes, Infallible>> {
    // On the heap, because the future below contains what it captures and what it returns.
    let stream = Box::new(stream);
    stream::unfold(Some((stream, readiness)), |state| async move {
        let (mut stream, readiness) = state?;
        let (bytes, goes_on) = loop {
            if readiness.is_draining() {
                break (Ok(event_stream::reconnect_elsewhere()), false);
            }
            break match stream.next().await {
                ChatStreamItem::Changed => continue,
                ChatStreamItem::Events(chat) => {
                    let object = ChatObject::new(&chat);
                    let event = event_stream::json_event(None, chat.position(), &object);
                    (event, true)
                }
                ChatStreamItem::Heartbeat => (Ok(event_stream::heartbeat()), true),
                ChatStreamItem::Ended => {
                    let end = End { reason: "ended" };
                    let event = event_stream::json_event(Some("end"), stream.position(), &end);
                    (event, false)
                }
            };
        };
        // A serialization that fails is a bug, which ends the stream.
        let bytes = bytes.ok()?;
        Some((Ok(bytes), goes_on.then_some((stream, readiness))))
    })
}
