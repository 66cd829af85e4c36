//! The admin API. The schemas are declared next to the handlers (`src/http/admin_api/*.rs`).

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    components::{header_parameter, json_response, query_parameter, schema_ref, text_response},
    operation::Operation,
};
use crate::{
    http::admin_api::{self, PAGE_LIMITS, audit_log, bookings, replicas, restore},
    settings::Limits,
};

mod active_services;
mod catalog_entries;
mod import_export;
mod options;

/// The introduction of the admin API.
pub(super) const INTRODUCTION: &str = "\
The paths below `/genesys/1/admin/`, except the node status, require the credentials of an operator (HTTP Basic). \
After ten failed attempts from one address within a minute, further attempts are rejected until the minute has passed \
(`TooManyRequests`). Cross-site requests of browsers are rejected (`Forbidden`). Replacing and deleting catalog \
entries requires `If-Match` with the `ETag` of the entry.";

/// Errors of operations with query parameters.
const QUERY_ERRORS: [&str; 2] = ["InvalidParameter", "TooLarge"];
/// Errors of changes of the catalog.
const WRITE_ERRORS: [&str; 4] = [
    "ReadOnly",
    "PreconditionFailed",
    "PreconditionRequired",
    "StoreFull",
];

/// All operations of the admin API.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let mut operations = catalog_entries::operations(limits);
    operations.extend(import_export::operations());
    operations.extend(active_services::operations(limits));
    operations
}

/// The schemas of requests and responses, by name.
pub(super) fn schemas(limits: &Limits) -> Map<String, Value> {
    let (entry, booking, event, service) = (
        schema_ref("Entry"),
        schema_ref("Booking"),
        schema_ref("AuditEvent"),
        schema_ref("ActiveServiceSummary"),
    );
    let next = cursor_schema();
    let schemas = [
        ("ServiceDefinition", options::definition_schema(limits)),
        ("ResourceGroup", options::group_schema()),
        ("Entry", admin_api::catalog_entries::entry_schema()),
        (
            "Entries",
            admin_api::catalog_entries::entry_list_schema(&entry),
        ),
        ("ImportReport", admin_api::import_export::import_schema()),
        ("LostEntries", restore::lost_entries_schema()),
        ("Booking", bookings::booking_schema()),
        ("Bookings", bookings::page_schema(&booking, &next)),
        (
            "ActiveServiceSummary",
            admin_api::active_services::service_schema(),
        ),
        (
            "ActiveServiceList",
            admin_api::active_services::service_page_schema(&service, &next),
        ),
        (
            "ActiveService",
            admin_api::active_services::service_detail_schema(&service, &booking),
        ),
        ("AuditEvent", audit_log::event_schema()),
        ("AuditLogPage", audit_log::page_schema(&event, &next)),
        ("Replicas", replicas::replicas_schema()),
    ];
    let schemas = schemas.map(|(name, schema)| (name.to_owned(), schema));
    schemas.into_iter().collect()
}

/// The headers of all responses of the admin API, by name.
pub(super) fn headers() -> Map<String, Value> {
    let headers = RESPONSE_HEADERS.map(|(name, value, description)| {
        let schema = json!({"type": "string", "const": value});
        let header = json!({"description": description, "required": true, "schema": schema});
        (name.to_owned(), header)
    });
    headers.into_iter().collect()
}

/// The security scheme of the admin API.
pub(super) fn security_scheme() -> Value {
    json!({
        "type": "http", "scheme": "basic",
        "description": "The settings `admin.username` and `admin.password`. Without `admin.username` any user \
                        name is accepted",
    })
}

/// The headers of all responses, with their values and descriptions.
const RESPONSE_HEADERS: [(&str, &str, &str); 4] = [
    (
        "Cache-Control",
        "no-cache, no-store",
        "Responses must not be cached",
    ),
    (
        "X-Content-Type-Options",
        "nosniff",
        "Browsers must not guess the content type",
    ),
    (
        "Cross-Origin-Resource-Policy",
        "same-origin",
        "Pages of other sites cannot load it",
    ),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
        "It cannot be embedded and runs no scripts",
    ),
];

/// An operation of the admin API.
fn operation(method: Method, path: &'static str, name: &str, summary: &str) -> Operation {
    let names = ("admin", name);
    Operation::new(method, path, names, summary).admin_auth()
}

/// Adds the headers of all responses.
fn with_common_headers(mut response: Value) -> Value {
    for (name, ..) in RESPONSE_HEADERS {
        let reference = format!("#/components/headers/{name}");
        response["headers"][name] = json!({"$ref": reference});
    }
    response
}

/// Adds the `ETag` header and the common headers.
fn with_etag(mut response: Value) -> Value {
    response["headers"]["ETag"] = json!({
        "description": "Version, for `If-Match`",
        "required": true,
        "schema": {"type": "string"},
    });
    with_common_headers(response)
}

/// A JSON response with the schema of this name.
fn schema_response(description: &str, name: &str) -> Value {
    json_response(description, &schema_ref(name))
}

/// Adds a link to an operation. `parameters` maps the parameters of the operation to expressions.
fn with_link(
    mut response: Value,
    (name, operation): (&str, &str),
    parameters: &[(&str, &str)],
) -> Value {
    let parameters: Map<String, Value> = parameters
        .iter()
        .map(|(parameter, expression)| ((*parameter).to_owned(), json!(expression)))
        .collect();
    response["links"][name] = json!({"operationId": operation, "parameters": parameters});
    response
}

/// The link parameter that takes the `ETag` of a response.
const ETAG_LINK: (&str, &str) = ("header.If-Match", "$response.header.ETag");

/// Adds a 200 response with the text `OK`.
fn ok_response(operation: Operation, description: &str) -> Operation {
    operation.response(
        StatusCode::OK,
        with_common_headers(text_response(description, "OK")),
    )
}

/// The header `If-Match`.
fn if_match() -> Value {
    let description = "The `ETag` of the version to change, a list of them, or `*` for any version. \
                       `PreconditionFailed` if the current version is another one; `PreconditionRequired` if the \
                       header is missing and the entry exists.";
    let mut header = header_parameter("If-Match", description, &json!({"type": "string"}));
    header["examples"] = json!({
        "any": {"value": "*"},
        "one": {"value": "\"2-5c1f09aa\""},
    });
    header
}

/// The header `If-None-Match`.
fn if_none_match() -> Value {
    header_parameter(
        "If-None-Match",
        "`*`: create only. Cannot be combined with `If-Match`.",
        &json!({"type": "string", "pattern": "^\\*$"}),
    )
}

/// The query parameters of a paginated list, with the `pattern` of its cursors.
fn page_parameters(pattern: &str) -> [Value; 2] {
    let (default, max) = PAGE_LIMITS;
    [
        query_parameter(
            "limit",
            &json!({
                "description": "Page size",
                "type": "integer", "minimum": 1, "maximum": max, "default": default,
            }),
        ),
        query_parameter(
            "after",
            &json!({
                "description": "Cursor: `next` of the previous page",
                "type": "string", "pattern": pattern,
            }),
        ),
    ]
}

/// The cursor of the next page.
fn cursor_schema() -> Value {
    json!({
        "type": ["string", "null"],
        "description": "Cursor of the next page, for `after`; null on the last page",
    })
}
