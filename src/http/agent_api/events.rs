//! `/genesys/1/agent/events` and `/genesys/1/agent/chats/{id}/events`: events as server-sent events.

use std::convert::Infallible;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, stream};
use serde::Serialize;

use super::{
    agent, agents, chat_id,
    responses::{AgentChatResponse, ChatSummaryResponse},
};
use crate::{
    http::{
        ApiError, AppState, body,
        client_api::chat_events::{ChatStreamResponses, stream_position, stream_response},
        event_stream,
        openapi::{
            errors::{AgentErrors, QueryErrors, ServiceNotFound},
            parameters::{ChatPath, LastEventHeader, PositionQuery},
        },
        response,
    },
    model::{
        chat::{ChatAction, ChatSummary},
        readiness::Readiness,
    },
    service::{AgentEvent, AgentStream, ServiceError},
};

/// The event after which a stream of an agent begins.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct LastEventQuery {
    /// The id of the last event that the agent has received
    #[param(rename = "lastEventId", required = false, pattern = "^[A-Za-z0-9_-]*$")]
    last_event_id: String,
}

/// `GET /genesys/1/agent/chats/{id}/events`
#[utoipa::path(
    get,
    path = "/genesys/1/agent/chats/{id}/events",
    operation_id = "streamChatForAgent",
    tag = "agent chats",
    summary = "Stream the events of one chat",
    description = "As the stream of the client: a message per chat object, whose id is the position of its last event, \
                   and the event `end` at the end. The agent need not be in the chat.",
    params(
        ChatPath,
        PositionQuery,
        LastEventHeader,
    ),
    responses(
        ChatStreamResponses, AgentErrors, QueryErrors, ServiceNotFound,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn stream_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&request)?;
    let position = stream_position(&state, &request)?;
    let stream = state
        .services
        .open_chat_stream(&id, ChatAction::Read, position);
    match stream.await? {
        Some(stream) if stream.is_over() => Ok(response::no_content()),
        Some(stream) => Ok(stream_response(stream, state.readiness.clone())),
        None => Err(ServiceError::NoSuchService(id).into()),
    }
}

/// `GET /genesys/1/agent/events`
#[utoipa::path(
    get,
    path = "/genesys/1/agent/events",
    operation_id = "streamChats",
    tag = "agent chats",
    summary = "Stream the events of all chats of the agent",
    description = "Server-sent events. `chats`: the open chats, at the beginning and again after changes were lost; a \
                   chat that is not in it has ended, unless `complete` is false. `chat.waiting`, `chat.active`, \
                   `chat.ended`: a chat whose state or agents have changed. `chat.event`: a chat that the agent is in, \
                   with its next events, from the first one; at most 50 chats. A stream that continues after \
                   `Last-Event-ID` neither omits nor repeats events of the agent's chats, on any replica. The data is \
                   as in the schemas ChatSummary and AgentChat. While the stream is open, the availability of the \
                   agent is renewed.",
    params(
        LastEventQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "As `lastEventId`, which it replaces"),
    ),
    responses(
        (status = 200, description = "Events", content_type = "text/event-stream", body = String),
        AgentErrors, QueryErrors,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn stream_chats(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let agent = agent(&request)?;
    let query = body::parse_query(&state, &request)?;
    let header = request.headers().get("last-event-id");
    let header = header.map(|value| value.to_str().unwrap_or("?"));
    let last_id = header.or(query.text("lastEventId"));
    let last_id = last_id.filter(|id| !id.is_empty());
    let stream = agents(&state)?.open_stream(&agent.name, last_id).await?;
    Ok(agent_stream_response(stream, state.readiness.clone()))
}

/// The response with the stream of an agent.
pub(in crate::http) fn agent_stream_response(
    stream: AgentStream,
    readiness: Readiness,
) -> HttpResponse {
    event_stream::stream_events(events(stream, readiness))
}

/// The open chats.
#[derive(Serialize)]
struct OpenChatsResponse<'a> {
    chats: Vec<ChatSummaryResponse<'a>>,
    complete: bool,
}

/// The events until the replica is shutting down.
fn events(
    stream: AgentStream,
    readiness: Readiness,
) -> impl Stream<Item = Result<web::Bytes, Infallible>> {
    stream::unfold(Some((stream, readiness)), |state| async move {
        let (mut stream, readiness) = state?;
        if readiness.is_draining() {
            return Some((Ok(event_stream::reconnect_elsewhere()), None));
        }
        let event = stream.next().await;
        if matches!(event, AgentEvent::Draining) {
            return Some((Ok(event_stream::reconnect_elsewhere()), None));
        }
        // A serialization that fails is a bug, which ends the stream.
        let bytes = format_event(&event, &stream.cursor()).ok()?;
        Some((Ok(bytes), Some((stream, readiness))))
    })
}

fn format_event(event: &AgentEvent, id: &str) -> Result<web::Bytes, ApiError> {
    let summary = |name, chat: &ChatSummary| {
        let chat = ChatSummaryResponse::from(chat);
        event_stream::json_event(Some(name), id, &chat)
    };
    match event {
        AgentEvent::Chats(chats, complete) => {
            let chats = OpenChatsResponse {
                chats: chats.iter().map(|chat| (&**chat).into()).collect(),
                complete: *complete,
            };
            event_stream::json_event(Some("chats"), id, &chats)
        }
        AgentEvent::Waiting(chat) => summary("chat.waiting", chat),
        AgentEvent::Active(chat) => summary("chat.active", chat),
        AgentEvent::Ended(chat) => summary("chat.ended", chat),
        AgentEvent::Event(chat_id, chat) => {
            let chat = AgentChatResponse::new(chat_id, chat);
            event_stream::json_event(Some("chat.event"), id, &chat)
        }
        AgentEvent::Heartbeat | AgentEvent::Draining => Ok(event_stream::heartbeat()),
    }
}
