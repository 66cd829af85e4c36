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
            parameters::{LastEventHeader, ServiceIdPath, UserHeader},
        },
        path, response,
    },
    model::{chat::ChatAction, readiness::Readiness},
    service::{ChatObject, ChatStream, ChatStreamItem, parse_integer},
};

/// The position after which a stream begins.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
struct StreamPosition {
    /// The position of the last event that the client has. Default: 0, the whole transcript.
    #[param(rename = "transcriptPosition", required = false, minimum = 0)]
    transcript_position: u64,
}

/// `GET /genesys/1/service/{id}/ixn/chat/events`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/ixn/chat/events",
    operation_id = "streamChat",
    tag = "chats",
    summary = "Stream the events of a chat",
    description = "Server-sent events: a message per chat object, whose id is the position of its last event; the event \
        `end` after the end of the chat or of the service. Clients resume with `Last-Event-ID`, on any replica. Services \
        with a backend forward the request to it.",
    params(
        ServiceIdPath,
        StreamPosition,
        LastEventHeader,
        UserHeader,
    ),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String),
        (status = 204, description = "The chat has ended, and the client has all events"),
        ClientErrors, ServiceNotFound, RequestNotFound,
    ),
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
    description = "As `GET`.",
    params(
        ServiceIdPath,
        StreamPosition,
        LastEventHeader,
        UserHeader,
    ),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String),
        (status = 204, description = "The chat has ended, and the client has all events"),
        ClientErrors, ServiceNotFound, RequestNotFound,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn stream_chat_by_post(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    stream_chat(state, request, payload).await
}

/// The position in `Last-Event-ID` or in the query.
pub(in crate::http) fn stream_position(
    state: &AppState,
    request: &HttpRequest,
) -> Result<u64, ApiError> {
    let (header, parameter) = ("last-event-id", "transcriptPosition");
    let query = body::parse_query(state, request)?;
    let last_id = request.headers().get(header);
    let last_id = last_id.map(|value| (header, value.to_str().unwrap_or("?")));
    let in_query = query.text(parameter).map(|value| (parameter, value));
    let mut given = last_id.into_iter().chain(in_query);
    let Some((name, value)) = given.find(|(_, value)| !value.is_empty()) else {
        return Ok(0);
    };
    parse_integer(value).ok_or_else(|| {
        ApiError::InvalidParameter(format!(
            "{name} is {value:?}; expected the position of an event, an integer from 0"
        ))
    })
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
