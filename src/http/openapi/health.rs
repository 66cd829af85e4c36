//! What load balancers ask, and this document.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use super::{
    operation::Operation,
    shapes::{header, text},
};
use crate::settings::Groups;

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
        .answering(
            StatusCode::OK,
            text("The store answers, and the service is not stopping", "OK"),
        )
        .answering(
            unavailable,
            text(
                "They are not",
                "not ready: the store does not answer, or the service is stopping",
            ),
        ),
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
