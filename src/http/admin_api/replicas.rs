//! `/genesys/1/admin/replicas`: the running replicas and their state.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::admin_service;
use crate::{
    http::{ApiError, AppState, response},
    service::Replica,
};

/// All running replicas.
#[derive(Debug, Serialize)]
struct ReplicasResponse {
    replicas: Vec<Replica>,
}

/// The JSON Schema of all running replicas.
pub(in crate::http) fn replicas_schema() -> Value {
    let replica = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Identifies the process"},
            "version": {"type": "string", "description": "Version of Switchboard"},
            "host": {
                "type": "string",
                "description": "Host name of the machine or container",
            },
            "address": {"type": "string", "description": "Address of the public listener"},
            "private_address": {
                "type": ["string", "null"],
                "description": "Address of the private listener",
            },
            "started_at": {
                "type": "string",
                "description": "Start time in ISO 8601; empty if it is unknown",
            },
            "catalog_version": {
                "type": ["string", "null"],
                "description": "Version of the stored catalog entries that are active on the replica; empty without stored \
                                entries, null if it is unknown",
            },
            "requests_per_second": {
                "type": ["number", "null"],
                "description": "Recent request rate; null if it is unknown",
            },
            "errors_per_second": {
                "type": ["number", "null"],
                "description": "Recent rate of responses with a status of 500 or more",
            },
            "cleanup_leader": {
                "type": "boolean",
                "description": "Whether the replica is the cleanup leader",
            },
            "cleanup_lag_seconds": {
                "type": ["number", "null"],
                "description": "Waiting time of the oldest ended service whose resources are not released yet; null \
                                except on the cleanup leader",
            },
            "keyspace_notifications": {
                "type": "boolean",
                "description": "Whether the replica receives keyspace notifications of Redis",
            },
            "clock_skew_seconds": {
                "type": ["number", "null"],
                "description": "Seconds by which the clock of the replica is ahead of the clock of Redis, negative if it \
                                is behind; null if it is unknown, and with the embedded store",
            },
            "catalog_entries_lost": {
                "type": "integer", "minimum": 0,
                "description": "Catalog entries that Redis has lost and the replica can restore",
            },
        },
        "required": [
            "id", "version", "host", "address", "private_address", "started_at", "catalog_version",
            "requests_per_second", "errors_per_second", "cleanup_leader", "cleanup_lag_seconds",
            "keyspace_notifications", "clock_skew_seconds", "catalog_entries_lost",
        ],
        "additionalProperties": false,
    });
    json!({
        "description": "Running replicas",
        "type": "object",
        "properties": {"replicas": {"type": "array", "items": replica}},
        "required": ["replicas"],
        "additionalProperties": false,
    })
}

/// `GET /genesys/1/admin/replicas`
pub(in crate::http) async fn list_replicas(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let replicas = admin_service(&state)?.replicas().await?;
    response::json_from(&ReplicasResponse { replicas })
}
