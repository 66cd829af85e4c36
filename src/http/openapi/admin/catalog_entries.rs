//! Configured services and resource groups.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ETAG_LINK, WRITE_ERRORS, if_match, if_none_match, ok_response, operation, schema_response,
    with_etag, with_link,
};
use crate::{
    http::openapi::{components::schema_ref, operation::Operation},
    settings::Limits,
};

/// A kind of entries, in the terms of the document.
struct EntryKind {
    list_path: &'static str,
    entry_path: &'static str,
    /// What one is called, and the end of the names of its operations.
    labels: (&'static str, &'static str),
    /// The place of its name in the path.
    name_parameter: Value,
    /// What is put, and an example.
    body: (&'static str, Value),
    /// There is none of that name.
    not_found_error: &'static str,
}

/// The operations on entries of the catalogue.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let services = EntryKind {
        list_path: "/genesys/1/admin/services",
        entry_path: "/genesys/1/admin/services/{name}",
        labels: ("configured service", "ConfiguredService"),
        name_parameter: name_parameter(
            "Its name: 1 to 128 bytes, neither `/` nor control characters, and not `.` or `..`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": NAME_PATTERN}),
            "call-us",
        ),
        body: (
            "Definition",
            json!({
                "_type": "builtin", "_service": "request-interaction", "_resource_group": "sales",
                "_ttl": 3600.min(limits.max_ttl.as_secs()), "_provide_code": "true",
            }),
        ),
        not_found_error: "ServiceNotFound",
    };
    let groups = EntryKind {
        list_path: "/genesys/1/admin/groups",
        entry_path: "/genesys/1/admin/groups/{name}",
        labels: ("resource group", "Group"),
        name_parameter: name_parameter(
            "Its name: 1 to 64 bytes, neither braces nor control characters, and not `.` or `..`; `/` is written `%2F`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": GROUP_NAME_PATTERN}),
            "sales",
        ),
        body: (
            "Group",
            json!({
                "_allocation_strategy": "CLUSTER", "_booking_expiration_timeout": 60,
                "numbers": ["8005550201", "8005550202"],
            }),
        ),
        not_found_error: "GroupNotFound",
    };
    // A configured service may need a group; nothing needs a configured service.
    let delete_group = delete(&groups)
        .description("Numbers that are held stay held. One that a configured service needs stays.")
        .errors(&["InvalidDefinition"]);
    let delete_service =
        delete(&services).description("Services that were made from it live on until they end.");
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

const NAME_PATTERN: &str = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$";
const GROUP_NAME_PATTERN: &str = "^[^{}\\x00-\\x1F\\x7F-\\x9F]+$";

fn name_parameter(description: &str, schema: &Value, example: &str) -> Value {
    json!({
        "name": "name", "in": "path", "required": true, "description": description,
        "schema": schema, "example": example,
    })
}

/// A response that tells an entry.
fn entry_response(kind: &EntryKind, description: &str) -> Value {
    let ending = kind.labels.1;
    let places = [("name", "$response.body#/name"), ETAG_LINK];
    let response = with_etag(schema_response(description, "Entry"));
    let response = with_link(response, ("replace", &format!("put{ending}")), &places);
    with_link(response, ("delete", &format!("delete{ending}")), &places)
}

fn list(kind: &EntryKind, description: &str) -> Operation {
    let (called, ending) = kind.labels;
    let summary = format!("List all {called}s");
    let first = [("name", "$response.body#/entries/0/name")];
    let response = with_etag(schema_response("All of them", "Entries"));
    let response = with_link(response, ("read", &format!("read{ending}")), &first);
    operation(
        Method::GET,
        kind.list_path,
        &format!("list{ending}s"),
        &summary,
    )
    .description(description)
    .response(StatusCode::OK, response)
}

fn read(kind: &EntryKind) -> Operation {
    let (called, ending) = kind.labels;
    let summary = format!("Read a {called}");
    operation(
        Method::GET,
        kind.entry_path,
        &format!("read{ending}"),
        &summary,
    )
    .parameters([kind.name_parameter.clone()])
    .response(StatusCode::OK, entry_response(kind, "It"))
    .errors(&["InvalidParameter", kind.not_found_error])
}

fn put(kind: &EntryKind) -> Operation {
    let ((called, ending), (schema_name, example)) = (kind.labels, &kind.body);
    let summary = format!("Make or replace a {called}");
    let body = json!({
        "description": "Its options, all of them. Numbers and booleans are the text that they are written as; \
                        an option that is empty or `null` is as good as absent. `********` stands for the \
                        secret there is.",
        "required": true,
        "content": {"application/json": {"schema": schema_ref(schema_name), "example": example}},
    });
    operation(Method::PUT, kind.entry_path, &format!("put{ending}"), &summary)
        .description(
            "In force on this replica when it is answered, and on the others within a second. It is understood \
             together with all that there is; what is wrong is named (`InvalidDefinition`), and nothing is changed.",
        )
        .parameters([kind.name_parameter.clone(), if_match(), if_none_match()])
        .request_body(body)
        .response(StatusCode::CREATED, entry_response(kind, "There was none"))
        .response(StatusCode::OK, entry_response(kind, "It took the place of another"))
        .errors(&[
            "InvalidParameter",
            "InvalidDefinition",
            "UnreadableJson",
            "InvalidBody",
            "TooLarge",
            "UnsupportedMediaType",
        ])
        .errors(&WRITE_ERRORS)
}

fn delete(kind: &EntryKind) -> Operation {
    let (called, ending) = kind.labels;
    let summary = format!("Delete a {called}");
    let delete = operation(
        Method::DELETE,
        kind.entry_path,
        &format!("delete{ending}"),
        &summary,
    )
    .parameters([kind.name_parameter.clone(), if_match()])
    .errors(&["InvalidParameter", kind.not_found_error])
    .errors(&WRITE_ERRORS);
    ok_response(delete, "It is deleted")
}
