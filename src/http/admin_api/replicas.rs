//! `/genesys/1/admin/replicas`: the running replicas and their state.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::admin_service;
use crate::{
    http::{
        ApiError, AppState, admin_api::node::NodeStatusText, openapi::errors::AdminErrors, response,
    },
    service::Replica,
};

/// Running replicas
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replicas)]
#[serde(deny_unknown_fields)]
struct ReplicasResponse {
    replicas: Vec<ReplicaResponse>,
}

/// A running replica
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replica)]
#[serde(deny_unknown_fields)]
struct ReplicaResponse {
    /// Identifies the process
    id: String,
    /// Version of Switchboard
    version: String,
    /// Host name of the machine or container
    host: String,
    /// Address of the public listener
    address: String,
    /// Address of the private listener
    #[schema(required)]
    private_address: Option<String>,
    /// Start time in ISO 8601; empty if it is unknown
    started_at: String,
    /// Version of the stored catalog entries that are active on the replica; empty without stored entries, null if it
    /// is unknown
    #[schema(required)]
    catalog_version: Option<String>,
    #[schema(inline)]
    status: NodeStatusText,
    /// User name of the operator who set the status last; null if it was not set since the start of the replica
    #[schema(required)]
    status_by: Option<String>,
    /// When the status was set last, in ISO 8601
    #[schema(required)]
    status_since: Option<String>,
    /// The status that an operator requested and the replica has not applied yet; null if there is none
    #[schema(inline, required)]
    requested_status: Option<NodeStatusText>,
    /// Recent request rate; null if it is unknown
    #[schema(required)]
    requests_per_second: Option<f64>,
    /// Recent rate of responses with a status of 500 or more
    #[schema(required)]
    errors_per_second: Option<f64>,
    /// Whether the replica is the cleanup leader
    cleanup_leader: bool,
    /// Waiting time of the oldest ended service whose resources are not released yet; null except on the cleanup leader
    #[schema(required)]
    cleanup_lag_seconds: Option<f64>,
    /// Whether the replica receives keyspace notifications of Redis
    keyspace_notifications: bool,
    /// Seconds by which the clock of the replica is ahead of the clock of Redis, negative if it is behind; null if it
    /// is unknown, and with the embedded store
    #[schema(required)]
    clock_skew_seconds: Option<f64>,
    /// Catalog entries that Redis has lost and the replica can restore
    catalog_entries_lost: usize,
}

impl From<Replica> for ReplicaResponse {
    fn from(replica: Replica) -> Self {
        let (set, stats) = (replica.status, replica.stats);
        Self {
            id: replica.id,
            version: replica.version,
            host: replica.host,
            address: replica.address,
            private_address: replica.private_address,
            started_at: replica.started_at,
            catalog_version: replica.catalog_version,
            status: set.status.into(),
            status_by: set.status_by,
            status_since: set.status_since,
            requested_status: replica.requested.map(|request| request.status.into()),
            requests_per_second: stats.requests_per_second,
            errors_per_second: stats.errors_per_second,
            cleanup_leader: stats.cleanup_leader,
            cleanup_lag_seconds: stats.cleanup_lag_seconds,
            keyspace_notifications: stats.keyspace_notifications,
            clock_skew_seconds: stats.clock_skew_seconds,
            catalog_entries_lost: stats.catalog_entries_lost,
        }
    }
}

/// `GET /genesys/1/admin/replicas`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/replicas",
    operation_id = "listReplicas",
    tag = "replicas",
    summary = "List the running replicas",
    description = "A replica that has crashed is listed until its last heartbeat expires.",
    responses(
        (status = 200, description = "All running replicas", body = ReplicasResponse),
        AdminErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_replicas(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let replicas = admin_service(&state)?.replicas().await?.into_iter();
    let replicas = replicas.map(ReplicaResponse::from).collect();
    response::json_from(&ReplicasResponse { replicas })
}
