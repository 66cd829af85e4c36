//! Health probes, metrics, and this document.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    components::{header_parameter, text_response},
    operation::Operation,
};
use crate::{
    model::readiness::{READY, Reason},
    settings::RouteGroups,
};

/// The operations of a listener with these route groups.
pub(super) fn operations(groups: RouteGroups, metrics_enabled: bool) -> Vec<Operation> {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let mut operations = vec![
        Operation::new(
            Method::GET,
            "/livez",
            ("health", "getLiveness"),
            "Liveness probe",
        )
        .response(StatusCode::OK, text_response("The process runs; the state of the store does not matter", "OK")),
        Operation::new(
            Method::GET,
            "/readyz",
            ("health", "getReadiness"),
            "Readiness probe",
        )
        .description(
            "Plain text, or JSON with `Accept: application/json`. The status is 200 while the replica serves \
             requests, also with restrictions (degraded); the response then has the reason.",
        )
        .response(StatusCode::OK, readiness_response("Ready"))
        .response(unavailable, readiness_response("Not ready")),
        document(),
    ];
    if groups.admin {
        let node = "/genesys/1/admin/node/status";
        let names = ("health", "getNodeStatus");
        operations.push(
            Operation::new(
                Method::GET,
                node,
                names,
                "Readiness probe for load balancers of the vendor's product",
            )
            .response(StatusCode::OK, text_response("Ready", "ONLINE"))
            .response(unavailable, text_response("Not ready", "OFFLINE")),
        );
    }
    if groups.admin && metrics_enabled {
        operations.push(metrics());
    }
    operations
}

/// A readiness response, as text or JSON.
fn readiness_response(description: &str) -> Value {
    let reasons = Reason::ALL.iter().map(|reason| reason.name());
    let names: Vec<&str> = [READY].into_iter().chain(reasons).collect();
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let name = json!({"type": "string", "enum": names});
    let reason = json!({
        "type": "object",
        "properties": {
            "reason": name,
            "blocking": {"type": "boolean", "description": "Whether it makes the replica not ready"},
            "message": text,
            "since": time,
        },
        "required": ["reason", "blocking", "message", "since"],
        "additionalProperties": false,
    });
    let body = json!({
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": [READY, "degraded", "not_ready"]},
            "ready": {"type": "boolean"},
            "reason": {"description": "The most severe reason, or `ready`", "type": "string", "enum": names},
            "message": text,
            "since": time,
            "reasons": {"type": "array", "items": reason},
        },
        "required": ["status", "ready", "reason", "message", "since", "reasons"],
        "additionalProperties": false,
    });
    json!({
        "description": description,
        "content": {"text/plain": {"schema": text}, "application/json": {"schema": body}},
    })
}

fn metrics() -> Operation {
    let text = json!({
        "description": "Metrics in the Prometheus text format, or in OpenMetrics if the request accepts it",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/openmetrics-text": {"schema": {"type": "string"}},
        },
    });
    Operation::new(
        Method::GET,
        "/metrics",
        ("health", "getMetrics"),
        "Prometheus metrics of this replica",
    )
    .description("Also available while the store is unavailable.")
    .response(StatusCode::OK, text)
}

fn document() -> Operation {
    let tag = json!({"ETag": {
        "description": "The version of the document",
        "required": true,
        "schema": {"type": "string"},
    }});
    Operation::new(
        Method::GET,
        "/openapi.json",
        ("health", "getOpenApi"),
        "This document",
    )
    .description("The routes of the listener that served it.")
    .parameters([header_parameter(
        "If-None-Match",
        "`ETag`s of the versions that the client has cached, or `*`.",
        &json!({"type": "string"}),
    )])
    .response(
        StatusCode::OK,
        json!({
            "description": "OpenAPI document",
            "headers": tag,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }),
    )
    .response(
        StatusCode::NOT_MODIFIED,
        json!({"description": "The cached version is current", "headers": tag}),
    )
}
