//! The administration. What it tells is described beside its handlers (`src/http/admin/*.rs`).

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    operation::Operation,
    shapes::{answer, header, query, schema, text},
};
use crate::{
    http::admin::{
        PAGE, bookings, catalog as import, entries as entry, history, live as services, restore,
    },
    settings::Limits,
};

mod catalog;
mod entries;
mod live;
mod options;

/// What there is to say of all of it.
pub(super) const INTRODUCTION: &str = "\
The paths below `/genesys/1/admin/`, but the node status, are for operators and ask for their user name and \
password (HTTP Basic); after ten wrong ones from one address within a minute it is refused until the minute is over \
(`TooManyRequests`). Whatever a page of another site makes a browser send there is refused (`Forbidden`). What \
there is in the catalogue is replaced and deleted only by those who say which state of it they have seen (`If-Match` \
with its `ETag`).";

/// What can be wrong with a query that is looked at.
const OF_QUERIES: [&str; 2] = ["InvalidParameter", "TooLarge"];
/// What can be wrong with a state that is to be changed.
const OF_STATES: [&str; 4] = [
    "ReadOnly",
    "PreconditionFailed",
    "PreconditionRequired",
    "StoreFull",
];

/// All operations of the administration.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let mut operations = entries::operations(limits);
    operations.extend(catalog::operations());
    operations.extend(live::operations(limits));
    operations
}

/// The schemas of what it takes and tells, by name.
pub(super) fn schemas(limits: &Limits) -> Map<String, Value> {
    let (told, booking, event) = (schema("Entry"), schema("Booking"), schema("Event"));
    let next = next();
    let schemas = [
        ("Definition", options::definition(limits)),
        ("Group", options::group()),
        ("Entry", entry::told_schema()),
        ("Entries", entry::table_schema(&told)),
        ("Imported", import::told_schema()),
        ("LostEntries", restore::lost_schema()),
        ("Booking", bookings::told_schema()),
        ("Bookings", bookings::page_schema(&booking, &next)),
        ("Live", services::told_schema()),
        (
            "LiveServices",
            services::page_schema(&schema("Live"), &next),
        ),
        (
            "LiveService",
            services::whole_schema(&schema("Live"), &booking),
        ),
        ("Event", history::event_schema()),
        ("History", history::page_schema(&event, &next)),
        ("Replicas", history::replicas_schema()),
    ];
    let schemas = schemas.map(|(name, schema)| (name.to_owned(), schema));
    schemas.into_iter().collect()
}

/// The headers of all answers of the administration, by name.
pub(super) fn headers() -> Map<String, Value> {
    let headers = MARKS.map(|(name, value, description)| {
        let schema = json!({"type": "string", "const": value});
        let header = json!({"description": description, "required": true, "schema": schema});
        (name.to_owned(), header)
    });
    headers.into_iter().collect()
}

/// How operators are asked who they are.
pub(super) fn scheme() -> Value {
    json!({
        "type": "http", "scheme": "basic",
        "description": "The user name and the password of the administration. Where the operator has set \
                        no user name, any will do",
    })
}

/// Headers of all answers: their values, and what they are for.
const MARKS: [(&str, &str, &str); 4] = [
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
    Operation::new(method, path, names, summary).of_operators()
}

/// A response with the headers of all of them.
fn marked(mut response: Value) -> Value {
    for (name, ..) in MARKS {
        let place = format!("#/components/headers/{name}");
        response["headers"][name] = json!({"$ref": place});
    }
    response
}

/// A response about a state of something.
fn of_state(mut response: Value) -> Value {
    response["headers"]["ETag"] = json!({
        "description": "This state of it, for `If-Match`",
        "required": true,
        "schema": {"type": "string"},
    });
    marked(response)
}

/// An answer in JSON of the schema of that name.
fn told(description: &str, name: &str) -> Value {
    answer(description, &schema(name))
}

/// A response that leads on to an operation: what the link is called, and where its parameters are found.
fn leading(mut response: Value, (name, operation): (&str, &str), found: &[(&str, &str)]) -> Value {
    let found = found.iter();
    let found = found.map(|(parameter, place)| ((*parameter).to_owned(), json!(place)));
    let found: Map<String, Value> = found.collect();
    response["links"][name] = json!({"operationId": operation, "parameters": found});
    response
}

/// Where the `ETag` of a response goes.
const ITS_STATE: (&str, &str) = ("header.If-Match", "$response.header.ETag");

/// A request that was done.
fn done(operation: Operation, description: &str) -> Operation {
    operation.answering(StatusCode::OK, marked(text(description, "OK")))
}

/// The state that is to be changed.
fn if_match() -> Value {
    let description = "The `ETag` of the state that is to be changed, several of them, or `*` for whichever it is. \
                       `PreconditionFailed` where it is in another; `PreconditionRequired` where there is something \
                       and nothing is said.";
    let mut header = header("If-Match", description, &json!({"type": "string"}));
    header["examples"] = json!({
        "whichever": {"value": "*"},
        "this": {"value": "\"2-5c1f09aa\""},
    });
    header
}

/// That there is no state yet.
fn if_none_match() -> Value {
    header(
        "If-None-Match",
        "`*`: only where there is nothing yet. Not together with `If-Match`.",
        &json!({"type": "string", "pattern": "^\\*$"}),
    )
}

/// Which page of a list: how long it is, and where it begins, which has this `pattern`.
fn page(pattern: &str) -> [Value; 2] {
    let (usual, most) = PAGE;
    [
        query(
            "limit",
            &json!({
                "description": "Entries on a page",
                "type": "integer", "minimum": 1, "maximum": most, "default": usual,
            }),
        ),
        query(
            "after",
            &json!({
                "description": "Where the page begins: what the page before told as `next`",
                "type": "string", "pattern": pattern,
            }),
        ),
    ]
}

/// Where the next page begins.
fn next() -> Value {
    json!({
        "type": ["string", "null"],
        "description": "Where the next page begins, for `after`; null where this is the last one",
    })
}
