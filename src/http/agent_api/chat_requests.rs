//! `/genesys/1/agent/chats/{id}/...`: requests of agents on a chat.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{agent, agents, chat_id, responses::AgentChatResponse};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AgentErrors, BodyErrors, ChatEnded, ChatFull, ChatTaken, InvalidParameter,
                NotInChat, ServiceNotFound, StoreFull,
            },
            fields::{self, JoinFields, MessageFields, PositionFields, TypingFields},
            parameters::ChatPath,
        },
        response,
    },
    service::AgentRequest,
};

/// Performs a request and responds with the chat after it.
async fn perform(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
    what: AgentRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, agent) = (chat_id(request)?, agent(request)?);
    let mut uploads = state.services.uploads(&id);
    let form = body::read_form_data(state, request, payload, &mut uploads).await?;
    let chat = agents(state)?.request(&id, what, &form, &agent).await?;
    response::json_after_change(&AgentChatResponse::new(&id, &chat))
}

/// `POST /genesys/1/agent/chats/{id}/join`
#[utoipa::path(
    post,
    path = "/genesys/1/agent/chats/{id}/join",
    operation_id = "joinChat",
    tag = "agent chats",
    summary = "Join a chat",
    description = "Nothing changes if the agent is in the chat. With `exclusive`, `ChatTaken` if another agent is in \
                   it: of several agents that join at once, one succeeds. With `transfer`, the other agents leave in \
                   the same update. Recorded in the audit log.",
    params(ChatPath, JoinFields),
    request_body(content = inline(JoinFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The chat", body = AgentChatResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, ChatEnded, ChatTaken, ChatFull, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn join_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    perform(&state, &request, payload, AgentRequest::Join).await
}

/// `POST /genesys/1/agent/chats/{id}/send`
#[utoipa::path(
    post,
    path = "/genesys/1/agent/chats/{id}/send",
    operation_id = "sendChatMessage",
    tag = "agent chats",
    summary = "Send a message",
    description = "The agent must be in the chat. `message` is required.",
    params(ChatPath, MessageFields),
    request_body(content = inline(MessageFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The chat", body = AgentChatResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, ChatEnded, NotInChat, ChatFull, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn send_message(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    perform(&state, &request, payload, AgentRequest::Send).await
}

/// `POST /genesys/1/agent/chats/{id}/typing`
#[utoipa::path(
    post,
    path = "/genesys/1/agent/chats/{id}/typing",
    operation_id = "setChatTyping",
    tag = "agent chats",
    summary = "Start or stop typing",
    description = "The agent must be in the chat. A message stops typing.",
    params(ChatPath, TypingFields),
    request_body(content = inline(TypingFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The chat", body = AgentChatResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, ChatEnded, NotInChat, ChatFull, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn set_typing(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    perform(&state, &request, payload, AgentRequest::Typing).await
}

/// `POST /genesys/1/agent/chats/{id}/leave`
#[utoipa::path(
    post,
    path = "/genesys/1/agent/chats/{id}/leave",
    operation_id = "leaveChat",
    tag = "agent chats",
    summary = "Leave a chat",
    description = "Nothing changes if the agent is not in the chat. Recorded in the audit log.",
    params(ChatPath, PositionFields),
    request_body(content = inline(PositionFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The chat", body = AgentChatResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, ChatEnded, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn leave_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    perform(&state, &request, payload, AgentRequest::Leave).await
}

/// `POST /genesys/1/agent/chats/{id}/end`
#[utoipa::path(
    post,
    path = "/genesys/1/agent/chats/{id}/end",
    operation_id = "endChat",
    tag = "agent chats",
    summary = "End a chat",
    description = "The transcript remains until the service ends. Recorded in the audit log.",
    params(ChatPath, PositionFields),
    request_body(content = inline(PositionFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The chat", body = AgentChatResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, ChatEnded, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn end_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    perform(&state, &request, payload, AgentRequest::End).await
}
