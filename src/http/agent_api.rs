//! The API for agents of chats, below `/genesys/1/agent/`.

use actix_web::{HttpMessage, HttpRequest};

use super::{ApiError, AppState, path};
use crate::{
    model::ServiceId,
    service::{Actor, Agents, ServiceError},
};

pub(super) mod availability;
pub(super) mod chat_requests;
pub(super) mod chats;
pub(super) mod events;
pub(super) mod files;
pub(super) mod responses;

/// The agents. Their routes exist only if some are configured, and in the console.
pub(super) fn agents(state: &AppState) -> Result<&Agents, ApiError> {
    state.agents.as_ref().ok_or_else(|| {
        tracing::error!("agent route without agents");
        ApiError::Internal
    })
}

/// The agent of a request, whom the middleware has authenticated: an agent, or a user of the console.
fn agent(request: &HttpRequest) -> Result<Actor, ApiError> {
    request.extensions().get().cloned().ok_or_else(|| {
        tracing::error!("agent route without authentication");
        ApiError::Internal
    })
}

/// The id of the service of the chat in the path.
fn chat_id(request: &HttpRequest) -> Result<ServiceId, ApiError> {
    ServiceId::from_client(path::agent_chat(request)?)
        .map_err(|id| ServiceError::NoSuchService(id).into())
}
