//! `/genesys/1/admin/replicas`: the running replicas.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::admin_service;
use crate::{
    http::{ApiError, AppState, response},
    service::Replica,
};

/// The replicas, as they are told.
#[derive(Debug, Serialize)]
struct ReplicasResponse {
    replicas: Vec<Replica>,
}

/// The JSON Schema of the replicas as they are told.
pub(in crate::http) fn replicas_schema() -> Value {
    let replica = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Names the running process"},
            "version": {"type": "string", "description": "Of the program"},
            "host": {
                "type": "string",
                "description": "What the machine or container calls itself that it runs on",
            },
            "address": {"type": "string", "description": "Where it listens"},
            "private_address": {
                "type": ["string", "null"],
                "description": "Where it listens for those who may ask everything",
            },
            "since": {"type": "string", "format": "date-time"},
            "catalog": {
                "type": ["string", "null"],
                "description": "The version in force there of what operators made; null while it is not known",
            },
            "requests_per_second": {
                "type": ["number", "null"],
                "description": "That it answered of late; null where requests are not counted",
            },
            "failures_per_second": {
                "type": ["number", "null"],
                "description": "Those of them that it answered with a status of 500 or more",
            },
            "cleans_up": {
                "type": "boolean",
                "description": "Whether it is the one that cleans up after services",
            },
            "cleanup_lag_seconds": {
                "type": ["number", "null"],
                "description": "For how long the oldest ended service waits to be given back; who cleans up knows",
            },
            "notified": {
                "type": "boolean",
                "description": "Whether the store tells it of every service that ends",
            },
            "clock_skew_seconds": {
                "type": ["number", "null"],
                "description": "By how many seconds its clock is ahead of that of Redis, negative where it is \
                                behind; null while it is not known, and for the embedded store",
            },
            "catalog_entries_lost": {
                "type": "integer", "minimum": 0,
                "description": "Catalog entries that the store has lost and it can restore",
            },
        },
        "required": [
            "id", "version", "host", "address", "private_address", "since", "catalog", "requests_per_second",
            "failures_per_second", "cleans_up", "cleanup_lag_seconds", "notified",
            "clock_skew_seconds",
            "catalog_entries_lost",
        ],
        "additionalProperties": false,
    });
    json!({
        "description": "The replicas that are up",
        "type": "object",
        "properties": {"replicas": {"type": "array", "items": replica}},
        "required": ["replicas"],
        "additionalProperties": false,
    })
}

/// `GET /genesys/1/admin/replicas`
pub(in crate::http) async fn list_replicas(
    api: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let replicas = admin_service(&api)?.replicas().await?;
    response::json_from(&ReplicasResponse { replicas })
}
