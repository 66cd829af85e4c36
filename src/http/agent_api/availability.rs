//! `/genesys/1/agent/availability`: whether an agent takes chats.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{agent, agents};
use crate::http::{
    ApiError, AppState, body,
    openapi::{
        errors::{AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, StoreFull},
        fields::{self, AvailabilityFields},
    },
    response,
};

/// The availability of an agent
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentAvailability)]
#[serde(deny_unknown_fields)]
struct AvailabilityResponse {
    available: bool,
    /// The definitions whose chats the agent takes; none stands for all
    definitions: Vec<String>,
}

/// `PUT /genesys/1/agent/availability`
#[utoipa::path(
    put,
    path = "/genesys/1/agent/availability",
    operation_id = "setAgentAvailability",
    tag = "agent chats",
    summary = "Set whether the agent takes chats",
    description = "The availability ends after 30 seconds, or 30 seconds after the event stream of the agent ends. With \
                   `definitions`, the event stream has only chats of them, and those that the agent is in.",
    params(AvailabilityFields),
    request_body(content = inline(AvailabilityFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The availability", body = AvailabilityResponse),
        AgentErrors, BodyErrors, InvalidParameter, ServiceNotFound, StoreFull,
    ),
    security(("agent" = []), ("agentKey" = []), ("agentKeyShort" = [])),
)]
pub(in crate::http) async fn set_availability(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let form = body::read_fields(&state, &request, payload).await?;
    let agent = agent(&request)?;
    let definitions = agents(&state)?.set_availability(&agent.name, &form).await?;
    response::json_from(&AvailabilityResponse {
        available: definitions.is_some(),
        definitions: definitions.unwrap_or_default(),
    })
}
