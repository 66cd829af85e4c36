//! What load balancers ask, and this document.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    shapes::{header, text},
};
use crate::{
    model::readiness::{READY, Reason},
    settings::Groups,
};

/// The operations that a listener with these groups has; whether requests are `counted`.
pub(super) fn operations(groups: Groups, counted: bool) -> Vec<Operation> {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    let mut operations = vec![
        Operation::new(
            Method::GET,
            "/livez",
            ("health", "isLive"),
            "Whether the process is up",
        )
        .answering(StatusCode::OK, text("It is, whatever the store does", "OK")),
        Operation::new(
            Method::GET,
            "/readyz",
            ("health", "isReady"),
            "Whether requests are welcome",
        )
        .described(
            "Text, or JSON with `Accept: application/json`. The status is 200 while requests are served, also \
             where the store refuses some of them: the reason is then shown.",
        )
        .answering(StatusCode::OK, readiness("Requests are welcome"))
        .answering(unavailable, readiness("They are not")),
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
            .answering(StatusCode::OK, text("Requests are welcome", "ONLINE"))
            .answering(unavailable, text("They are not", "OFFLINE")),
        );
    }
    if groups.admin && counted {
        operations.push(metrics());
    }
    operations
}

/// The readiness, as text or as JSON.
fn readiness(description: &str) -> Value {
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
    .described("It is told while the store is away, too.")
    .answering(StatusCode::OK, text)
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
    .described("It tells what is served at the address that it was read from.")
    .taking([header(
        "If-None-Match",
        "Versions that the client has, or `*`.",
        &json!({"type": "string"}),
    )])
    .answering(
        StatusCode::OK,
        json!({
            "description": "The document",
            "headers": tag,
            "content": {"application/json": {"schema": {"type": "object"}}},
        }),
    )
    .answering(
        StatusCode::NOT_MODIFIED,
        json!({"description": "The client has this version", "headers": tag}),
    )
}
