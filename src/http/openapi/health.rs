//! What load balancers ask, and this document.

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

/// The operations that a listener with these groups has; whether requests are `counted`.
pub(super) fn operations(groups: RouteGroups, counted: bool) -> Vec<Operation> {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let mut operations = vec![
        Operation::new(
            Method::GET,
            "/livez",
            ("health", "isLive"),
            "Whether the process is up",
        )
        .response(StatusCode::OK, text_response("It is, whatever the store does", "OK")),
        Operation::new(
            Method::GET,
            "/readyz",
            ("health", "isReady"),
            "Whether requests are welcome",
        )
        .description(
            "Text, or JSON with `Accept: application/json`. The status is 200 while requests are served, also \
             where the store refuses some of them: the reason is then shown.",
        )
        .response(StatusCode::OK, readiness_response("Requests are welcome"))
        .response(unavailable, readiness_response("They are not")),
        document(),
    ];
    if groups.admin {
        let node = "/genesys/1/admin/node/status";
        let names = ("health", "nodeStatus");
        operations.push(
            Operation::new(
                Method::GET,
                node,
                names,
                "The same for older load balancers",
            )
            .response(
                StatusCode::OK,
                text_response("Requests are welcome", "ONLINE"),
            )
            .response(unavailable, text_response("They are not", "OFFLINE")),
        );
    }
    if groups.admin && counted {
        operations.push(metrics());
    }
    operations
}

/// The readiness, as text or as JSON.
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
            "blocking": {"type": "boolean", "description": "Whether it keeps requests out"},
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
        "description": "The figures, in the text format of Prometheus",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    });
    Operation::new(
        Method::GET,
        "/metrics",
        ("health", "readMetrics"),
        "What this replica has done and what there is, for Prometheus",
    )
    .description("It is told while the store is away, too.")
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
        ("health", "describeApi"),
        "This document",
    )
    .description("It tells what is served at the address that it was read from.")
    .parameters([header_parameter(
        "If-None-Match",
        "Versions that the client has, or `*`.",
        &json!({"type": "string"}),
    )])
    .response(
        StatusCode::OK,
        json!({
            "description": "The document",
            "headers": tag,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }),
    )
    .response(
        StatusCode::NOT_MODIFIED,
        json!({"description": "The client has this version", "headers": tag}),
    )
}
