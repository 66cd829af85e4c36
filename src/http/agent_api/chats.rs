//! `/genesys/1/agent/chats`: lists of chats, and one chat.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{
    agents, chat_id,
    responses::{AgentChatResponse, ChatStateText, ChatSummaryResponse},
};
use crate::{
    http::{
        ApiError, AppState,
        admin_api::{format_cursor, page_size, parse_cursor},
        body,
        client_api::services::BinaryResponse,
        openapi::{
            errors::{AgentErrors, QueryErrors, ServiceNotFound},
            parameters::{ChatPath, PageQuery, PositionQuery},
        },
        response,
    },
    model::chat::ChatState,
    service::{ChatDetail, FormData, transcript_position},
};

/// The filter of a list of chats.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct ChatStateQuery {
    /// Only chats in this state. Default: all chats that have not ended
    #[param(inline, required = false)]
    state: ChatStateText,
}

/// A page of chats by the time of their start
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatList)]
#[serde(deny_unknown_fields)]
struct ChatListResponse<'a> {
    chats: Vec<ChatSummaryResponse<'a>>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// A chat with the data of its service
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatDetail)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct ChatDetailResponse<'a> {
    #[serde(flatten)]
    chat: AgentChatResponse<'a>,
    /// The strings in the storage of the service
    #[serde(serialize_with = "serialize_pairs")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    user_data: &'a [(String, String)],
    /// The binaries in the storage of the service
    files: Vec<BinaryResponse<'a>>,
}

fn serialize_pairs<S: Serializer>(
    pairs: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// `GET /genesys/1/agent/chats`
#[utoipa::path(
    get,
    path = "/genesys/1/agent/chats",
    operation_id = "listChats",
    tag = "agent chats",
    summary = "List chats",
    description = "By the time of their start, the oldest first. A page may have fewer entries than `limit`, or none, \
                   although there is a next page.",
    params(ChatStateQuery, PageQuery),
    responses(
        (status = 200, description = "A page of chats", body = ChatListResponse),
        AgentErrors, QueryErrors,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn list_chats(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let in_state = parse_state(&query)?;
    let listed = agents(&state)?.list_chats(in_state, after.as_ref(), limit);
    let listed = listed.await?;
    response::json_from(&ChatListResponse {
        chats: listed.chats.iter().map(Into::into).collect(),
        next: listed.next.as_ref().map(format_cursor),
    })
}

fn parse_state(query: &FormData) -> Result<Option<ChatState>, ApiError> {
    let Some(text) = query.text("state").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text {
        "waiting" => Ok(Some(ChatState::Waiting)),
        "active" => Ok(Some(ChatState::Active)),
        "ended" => Ok(Some(ChatState::Ended)),
        _ => Err(ApiError::InvalidParameter(format!(
            "state is {text:?}; expected waiting, active or ended"
        ))),
    }
}

/// `GET /genesys/1/agent/chats/{id}`
#[utoipa::path(
    get,
    path = "/genesys/1/agent/chats/{id}",
    operation_id = "getChat",
    tag = "agent chats",
    summary = "Read a chat",
    description = "The events after `transcriptPosition`, at most 500 or 256 KiB; `chatIxnState` and the next request \
                   show whether there are more. `userData` and `files` are the storage of the service; a file is read \
                   at `files/{key}` below the path of the chat.",
    params(ChatPath, PositionQuery),
    responses(
        (status = 200, description = "The chat, and the data of its service", body = ChatDetailResponse),
        AgentErrors, QueryErrors, ServiceNotFound,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn get_chat(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = chat_id(&request)?;
    let position = transcript_position(&body::parse_query(&state, &request)?)?.unwrap_or(0);
    let detail = agents(&state)?.read_chat(&id, position).await?;
    let ChatDetail {
        chat,
        user_data,
        files,
    } = &detail;
    response::json_from(&ChatDetailResponse {
        chat: AgentChatResponse::new(&id, chat),
        user_data: &user_data.pairs,
        files: files.iter().map(Into::into).collect(),
    })
}
