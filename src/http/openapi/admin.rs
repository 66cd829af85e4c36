//! The administration. What it tells is described beside its handlers (`src/http/admin/*.rs`).

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    components::{header_parameter, json_response, query_parameter, schema_ref, text_response},
    operation::Operation,
};
use crate::{
    http::admin_api::{
        PAGE_LIMITS, active_services as services, audit_log, bookings, catalog_entries as entry,
        import_export as import, replicas, restore,
    },
    settings::Limits,
};

mod active_services;
mod catalog_entries;
mod import_export;
mod options;

/// What there is to say of all of it.
pub(super) const INTRODUCTION: &str = "\
The paths below `/genesys/1/admin/`, but the node status, are for operators and ask for their user name and \
password (HTTP Basic); after ten wrong ones from one address within a minute it is refused until the minute is over \
(`TooManyRequests`). Whatever a page of another site makes a browser send there is refused (`Forbidden`). What \
there is in the catalogue is replaced and deleted only by those who say which state of it they have seen (`If-Match` \
with its `ETag`).";

/// What can be wrong with a query that is looked at.
const QUERY_ERRORS: [&str; 2] = ["InvalidParameter", "TooLarge"];
/// What can be wrong with a state that is to be changed.
const WRITE_ERRORS: [&str; 4] = [
    "ReadOnly",
    "PreconditionFailed",
    "PreconditionRequired",
    "StoreFull",
];

/// All operations of the administration.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let mut operations = catalog_entries::operations(limits);
    operations.extend(import_export::operations());
    operations.extend(active_services::operations(limits));
    operations
}

/// The schemas of what it takes and tells, by name.
pub(super) fn schemas(limits: &Limits) -> Map<String, Value> {
    let (told, booking, event) = (
        schema_ref("Entry"),
        schema_ref("Booking"),
        schema_ref("Event"),
    );
    let next = cursor_schema();
    let schemas = [
        ("Definition", options::definition_schema(limits)),
        ("Group", options::group_schema()),
        ("Entry", entry::entry_schema()),
        ("Entries", entry::entry_list_schema(&told)),
        ("Imported", import::import_schema()),
        ("LostEntries", restore::lost_entries_schema()),
        ("Booking", bookings::booking_schema()),
        ("Bookings", bookings::page_schema(&booking, &next)),
        ("Live", services::service_schema()),
        (
            "LiveServices",
            services::service_page_schema(&schema_ref("Live"), &next),
        ),
        (
            "LiveService",
            services::service_detail_schema(&schema_ref("Live"), &booking),
        ),
        ("Event", audit_log::event_schema()),
        ("History", audit_log::page_schema(&event, &next)),
        ("Replicas", replicas::replicas_schema()),
    ];
    let schemas = schemas.map(|(name, schema)| (name.to_owned(), schema));
    schemas.into_iter().collect()
}

/// The headers of all answers of the administration, by name.
pub(super) fn headers() -> Map<String, Value> {
    let headers = RESPONSE_HEADERS.map(|(name, value, description)| {
        let schema = json!({"type": "string", "const": value});
        let header = json!({"description": description, "required": true, "schema": schema});
        (name.to_owned(), header)
    });
    headers.into_iter().collect()
}

/// How operators are asked who they are.
pub(super) fn security_scheme() -> Value {
    json!({
        "type": "http", "scheme": "basic",
        "description": "The user name and the password of the administration. Where the operator has set \
                        no user name, any will do",
    })
}

/// Headers of all answers: their values, and what they are for.
const RESPONSE_HEADERS: [(&str, &str, &str); 4] = [
    ("Cache-Control", "no-cache, no-store", "Nobody keeps it"),
    (
        "X-Content-Type-Options",
        "nosniff",
        "It is of the type that it says",
    ),
    (
        "Cross-Origin-Resource-Policy",
        "same-origin",
        "No page of another site gets it",
    ),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
        "It is shown within no page, and runs nothing",
    ),
];

/// An operation of operators.
fn operation(method: Method, path: &'static str, name: &str, summary: &str) -> Operation {
    let names = ("administration", name);
    Operation::new(method, path, names, summary).admin_auth()
}

/// A response with the headers of all of them.
fn with_common_headers(mut response: Value) -> Value {
    for (name, ..) in RESPONSE_HEADERS {
        let place = format!("#/components/headers/{name}");
        response["headers"][name] = json!({"$ref": place});
    }
    response
}

/// A response about a state of something.
fn with_etag(mut response: Value) -> Value {
    response["headers"]["ETag"] = json!({
        "description": "This state of it, for `If-Match`",
        "required": true,
        "schema": {"type": "string"},
    });
    with_common_headers(response)
}

/// An answer in JSON of the schema of that name.
fn schema_response(description: &str, name: &str) -> Value {
    json_response(description, &schema_ref(name))
}

/// A response that leads on to an operation: what the link is called, and where its parameters are found.
fn with_link(
    mut response: Value,
    (name, operation): (&str, &str),
    found: &[(&str, &str)],
) -> Value {
    let found = found.iter();
    let found = found.map(|(parameter, place)| ((*parameter).to_owned(), json!(place)));
    let found: Map<String, Value> = found.collect();
    response["links"][name] = json!({"operationId": operation, "parameters": found});
    response
}

/// Where the `ETag` of a response goes.
const ETAG_LINK: (&str, &str) = ("header.If-Match", "$response.header.ETag");

/// A request that was done.
fn ok_response(operation: Operation, description: &str) -> Operation {
    operation.response(
        StatusCode::OK,
        with_common_headers(text_response(description, "OK")),
    )
}

/// The state that is to be changed.
fn if_match() -> Value {
    let description = "The `ETag` of the state that is to be changed, several of them, or `*` for whichever it is. \
                       `PreconditionFailed` where it is in another; `PreconditionRequired` where there is something \
                       and nothing is said.";
    let mut header = header_parameter("If-Match", description, &json!({"type": "string"}));
    header["examples"] = json!({
        "whichever": {"value": "*"},
        "this": {"value": "\"2-5c1f09aa\""},
    });
    header
}

/// That there is no state yet.
fn if_none_match() -> Value {
    header_parameter(
        "If-None-Match",
        "`*`: only where there is nothing yet. Not together with `If-Match`.",
        &json!({"type": "string", "pattern": "^\\*$"}),
    )
}

/// Which page of a list: how long it is, and where it begins, which has this `pattern`.
fn page_parameters(pattern: &str) -> [Value; 2] {
    let (usual, most) = PAGE_LIMITS;
    [
        query_parameter(
            "limit",
            &json!({
                "description": "Entries on a page",
                "type": "integer", "minimum": 1, "maximum": most, "default": usual,
            }),
        ),
        query_parameter(
            "after",
            &json!({
                "description": "Where the page begins: what the page before told as `next`",
                "type": "string", "pattern": pattern,
            }),
        ),
    ]
}

/// Where the next page begins.
fn cursor_schema() -> Value {
    json!({
        "type": ["string", "null"],
        "description": "Where the next page begins, for `after`; null where this is the last one",
    })
}
