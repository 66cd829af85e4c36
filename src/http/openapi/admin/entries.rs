//! Configured services and resource groups.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ITS_STATE, OF_STATES, done, if_match, if_none_match, leading, of_state, operation, told,
};
use crate::{
    http::openapi::{operation::Operation, shapes::schema},
    settings::Limits,
};

/// A kind of entries, in the terms of the document.
struct Kind {
    list: &'static str,
    one: &'static str,
    /// What one is called, and the end of the names of its operations.
    called: (&'static str, &'static str),
    /// The place of its name in the path.
    name: Value,
    /// What is put, and an example.
    body: (&'static str, Value),
    /// There is none of that name.
    unknown: &'static str,
}

/// The operations on entries of the catalogue.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let services = Kind {
        list: "/genesys/1/admin/services",
        one: "/genesys/1/admin/services/{name}",
        called: ("configured service", "ConfiguredService"),
        name: name(
            "Its name: 1 to 128 bytes, neither `/` nor control characters, and not `.` or `..`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": NAMES}),
            "call-us",
        ),
        body: (
            "Definition",
            json!({
                "_type": "builtin", "_service": "request-interaction", "_resource_group": "sales",
                "_ttl": 3600.min(limits.life.as_secs()), "_provide_code": "true",
            }),
        ),
        unknown: "ServiceNotFound",
    };
    let groups = Kind {
        list: "/genesys/1/admin/groups",
        one: "/genesys/1/admin/groups/{name}",
        called: ("resource group", "Group"),
        name: name(
            "Its name: 1 to 64 bytes, neither braces nor control characters, and not `.` or `..`; `/` is written `%2F`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": GROUP_NAMES}),
            "sales",
        ),
        body: (
            "Group",
            json!({
                "_allocation_strategy": "CLUSTER", "_booking_expiration_timeout": 60,
                "numbers": ["8005550201", "8005550202"],
            }),
        ),
        unknown: "GroupNotFound",
    };
    // A configured service may need a group; nothing needs a configured service.
    let delete_group = delete(&groups)
        .described("Numbers that are held stay held. One that a configured service needs stays.")
        .failing(&["InvalidDefinition"]);
    let delete_service =
        delete(&services).described("Services that were made from it live on until they end.");
    vec![
        list(&services, "Secrets are hidden."),
        read(&services),
        put(&services),
        delete_service,
        list(&groups, "How many numbers each has is told as `size`."),
        read(&groups),
        put(&groups),
        delete_group,
    ]
}

const NAMES: &str = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$";
const GROUP_NAMES: &str = "^[^{}\\x00-\\x1F\\x7F-\\x9F]+$";

fn name(description: &str, schema: &Value, example: &str) -> Value {
    json!({
        "name": "name", "in": "path", "required": true, "description": description,
        "schema": schema, "example": example,
    })
}

/// A response that tells an entry.
fn entry(kind: &Kind, description: &str) -> Value {
    let ending = kind.called.1;
    let places = [("name", "$response.body#/name"), ITS_STATE];
    let response = of_state(told(description, "Entry"));
    let response = leading(response, ("replace", &format!("put{ending}")), &places);
    leading(response, ("delete", &format!("delete{ending}")), &places)
}

fn list(kind: &Kind, description: &str) -> Operation {
    let (called, ending) = kind.called;
    let summary = format!("List all {called}s");
    let first = [("name", "$response.body#/entries/0/name")];
    let response = of_state(told("All of them", "Entries"));
    let response = leading(response, ("read", &format!("read{ending}")), &first);
    operation(Method::GET, kind.list, &format!("list{ending}s"), &summary)
        .described(description)
        .answering(StatusCode::OK, response)
}

fn read(kind: &Kind) -> Operation {
    let (called, ending) = kind.called;
    let summary = format!("Read a {called}");
    operation(Method::GET, kind.one, &format!("read{ending}"), &summary)
        .taking([kind.name.clone()])
        .answering(StatusCode::OK, entry(kind, "It"))
        .failing(&["InvalidParameter", kind.unknown])
}

fn put(kind: &Kind) -> Operation {
    let ((called, ending), (schema_name, example)) = (kind.called, &kind.body);
    let summary = format!("Make or replace a {called}");
    let body = json!({
        "description": "Its options, all of them. Numbers and booleans are the text that they are written as; \
                        an option that is empty or `null` is as good as absent. `********` stands for the \
                        secret there is.",
        "required": true,
        "content": {"application/json": {"schema": schema(schema_name), "example": example}},
    });
    operation(Method::PUT, kind.one, &format!("put{ending}"), &summary)
        .described(
            "In force on this replica when it is answered, and on the others within a second. It is understood \
             together with all that there is; what is wrong is named (`InvalidDefinition`), and nothing is changed.",
        )
        .taking([kind.name.clone(), if_match(), if_none_match()])
        .reading(body)
        .answering(StatusCode::CREATED, entry(kind, "There was none"))
        .answering(StatusCode::OK, entry(kind, "It took the place of another"))
        .failing(&[
            "InvalidParameter",
            "InvalidDefinition",
            "UnreadableJson",
            "InvalidBody",
            "TooLarge",
            "UnsupportedMediaType",
        ])
        .failing(&OF_STATES)
}

fn delete(kind: &Kind) -> Operation {
    let (called, ending) = kind.called;
    let summary = format!("Delete a {called}");
    let delete = operation(
        Method::DELETE,
        kind.one,
        &format!("delete{ending}"),
        &summary,
    )
    .taking([kind.name.clone(), if_match()])
    .failing(&["InvalidParameter", kind.unknown])
    .failing(&OF_STATES);
    done(delete, "It is deleted")
}
