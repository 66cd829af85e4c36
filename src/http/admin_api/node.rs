//! The node status: probes for load balancers of the vendor's product, and its change by operators.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actor, admin_service};
use crate::{
    http::{
        ApiError, AppState,
        openapi::errors::{AdminErrors, InvalidParameter, StoreFull},
        path, response,
    },
    model::NodeStatus,
};

/// `OFFLINE` if an operator set the replica OFFLINE, otherwise `ONLINE`, whether it is ready or not
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::http) enum NodeStatusText {
    Online,
    Offline,
}

impl From<NodeStatus> for NodeStatusText {
    fn from(status: NodeStatus) -> Self {
        match status {
            NodeStatus::Online => Self::Online,
            NodeStatus::Offline => Self::Offline,
        }
    }
}

/// The new status in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct NodeStatusPath {
    /// The new status, in any case.
    #[param(inline, example = "ONLINE")]
    status: NodeStatusText,
}

/// The text `ONLINE`
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "only described")]
enum Online {
    Online,
}

/// The text `OFFLINE`
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "only described")]
enum Offline {
    Offline,
}

/// The responses of the probes.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only described")]
enum ProbeResponses {
    /// Ready
    #[response(status = 200, content_type = "text/plain")]
    Ready(#[to_schema] Online),
    /// Not ready
    #[response(status = 503, content_type = "text/plain")]
    NotReady(#[to_schema] Offline),
}

/// `GET /genesys/1/admin/node/status`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/node/status",
    operation_id = "getNodeStatus",
    tag = "health",
    summary = "Readiness probe for load balancers of the vendor's product",
    description = "`ONLINE` (200) or `OFFLINE` (503), by the same rule as `/readyz`.",
    responses(ProbeResponses)
)]
pub(in crate::http) async fn get_node_status(state: web::Data<AppState>) -> HttpResponse {
    let readiness = state.services.check_readiness(&state.readiness).await;
    let (code, status) = if readiness.is_ready() {
        (StatusCode::OK, NodeStatus::Online)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, NodeStatus::Offline)
    };
    response::text(code, status.name())
}

/// `GET /genesys/1/node`: an older path of the probe.
#[utoipa::path(
    get,
    path = "/genesys/1/node",
    operation_id = "getNode",
    tag = "health",
    summary = "Readiness probe, older path",
    description = "The same as `/genesys/1/admin/node/status`.",
    responses(ProbeResponses)
)]
pub(in crate::http) async fn get_node(state: web::Data<AppState>) -> HttpResponse {
    get_node_status(state).await
}

/// `POST /genesys/1/admin/node/changestatus/{status}`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/node/changestatus/{status}",
    operation_id = "setNodeStatus",
    tag = "replicas",
    summary = "Set the status of the replica that receives this request",
    description = "OFFLINE: the readiness probes of this replica return 503, so that load balancers send it no new \
                   requests. It still serves all requests. The status is not kept over a restart.",
    params(NodeStatusPath),
    responses(
        (status = 200, description = "The status is set", body = inline(NodeStatusText), content_type = "text/plain"),
        AdminErrors, InvalidParameter, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn set_node_status(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let status = parse_node_status(&path::node_status(&request)?)?;
    let actor = actor(&request)?;
    admin_service(&state)?
        .set_own_status(status, &actor)
        .await?;
    Ok(response::text(StatusCode::OK, status.name()))
}

/// Parses `ONLINE` or `OFFLINE`, in any case.
pub(in crate::http) fn parse_node_status(text: &str) -> Result<NodeStatus, ApiError> {
    NodeStatus::parse(text).ok_or_else(|| {
        let [online, offline] = NodeStatus::ALL.map(NodeStatus::name);
        let message = format!("status is {text:?}, expected {online} or {offline}");
        ApiError::InvalidParameter(message)
    })
}
