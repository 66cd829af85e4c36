//! `/genesys/1/agent/chats/{id}/files/{key}`: the files of the customer of a chat.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{agents, chat_id};
use crate::http::{
    ApiError, AppState,
    client_api::binaries::{
        self, BinaryKeyPath, BinaryVersionHeader, range::RangeHeaders, responses::BinaryResponses,
    },
    fetch_metadata,
    openapi::{
        errors::{
            AgentErrors, KeyNotFound, PreconditionFailed, QueryErrors, RangeNotSatisfiable,
            ServiceNotFound,
        },
        parameters::{ChatPath, IfNoneMatchHeader},
    },
    path,
};

/// `GET /genesys/1/agent/chats/{id}/files/{key}`
#[utoipa::path(
    get,
    path = "/genesys/1/agent/chats/{id}/files/{key}",
    operation_id = "readChatFile",
    tag = "agent chats",
    summary = "Read a file of a chat",
    description = "A binary in the storage of the service, as `files` of the chat names it. The content is untrusted: its \
                   type is always `application/octet-stream`, and browsers save it.",
    params(ChatPath, BinaryKeyPath, BinaryVersionHeader, IfNoneMatchHeader, RangeHeaders),
    responses(
        BinaryResponses, AgentErrors, QueryErrors, ServiceNotFound, KeyNotFound, PreconditionFailed,
        RangeNotSatisfiable,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn get_file(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(&request)?;
    let id = chat_id(&request)?;
    let key = binaries::key_or_query(&state, &request, path::agent_file)?;
    agents(&state)?.require_chat(&id).await?;
    binaries::download(&state, &request, id, key).await
}
