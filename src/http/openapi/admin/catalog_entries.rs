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

/// A kind of catalog entries.
struct EntryKind {
    list_path: &'static str,
    entry_path: &'static str,
    /// The name of the kind, and the suffix of its operation ids.
    labels: (&'static str, &'static str),
    /// The path parameter of the name.
    name_parameter: Value,
    /// The schema of the request body, and an example.
    body: (&'static str, Value),
    /// The error of an unknown name.
    not_found_error: &'static str,
}

/// The operations on catalog entries.
pub(super) fn operations(limits: &Limits) -> Vec<Operation> {
    let services = EntryKind {
        list_path: "/genesys/1/admin/services",
        entry_path: "/genesys/1/admin/services/{name}",
        labels: ("configured service", "ConfiguredService"),
        name_parameter: name_parameter(
            "The name: 1 to 128 bytes, without `/` and control characters, and not `.` or `..`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": NAME_PATTERN}),
            "call-us",
        ),
        body: (
            "ServiceDefinition",
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
            "The name: 1 to 64 bytes, without braces and control characters, and not `.` or `..`; encode `/` as `%2F`.",
            &json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": GROUP_NAME_PATTERN}),
            "sales",
        ),
        body: (
            "ResourceGroup",
            json!({
                "_allocation_strategy": "CLUSTER", "_booking_expiration_timeout": 60,
                "numbers": ["8005550201", "8005550202"],
            }),
        ),
        not_found_error: "GroupNotFound",
    };
    // Configured services can reference groups; nothing references a configured service.
    let delete_group = delete(&groups)
        .description("Bookings of the group stay valid. A group that a configured service uses cannot be deleted.")
        .errors(&["InvalidDefinition"]);
    let delete_service =
        delete(&services).description("Services created from it remain active until they end.");
    vec![
        list(&services, "Secrets are masked."),
        read(&services),
        put(&services),
        delete_service,
        list(
            &groups,
            "`size` is the number of access numbers of a group.",
        ),
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

/// A response with an entry.
fn entry_response(kind: &EntryKind, description: &str) -> Value {
    let suffix = kind.labels.1;
    let parameters = [("name", "$response.body#/name"), ETAG_LINK];
    let response = with_etag(schema_response(description, "Entry"));
    let response = with_link(response, ("replace", &format!("put{suffix}")), &parameters);
    with_link(
        response,
        ("delete", &format!("delete{suffix}")),
        &parameters,
    )
}

fn list(kind: &EntryKind, description: &str) -> Operation {
    let (label, suffix) = kind.labels;
    let summary = format!("List all {label}s");
    let first = [("name", "$response.body#/entries/0/name")];
    let response = with_etag(schema_response("All entries", "Entries"));
    let response = with_link(response, ("read", &format!("read{suffix}")), &first);
    operation(
        Method::GET,
        kind.list_path,
        &format!("list{suffix}s"),
        &summary,
    )
    .description(description)
    .response(StatusCode::OK, response)
}

fn read(kind: &EntryKind) -> Operation {
    let (label, suffix) = kind.labels;
    let summary = format!("Read a {label}");
    operation(
        Method::GET,
        kind.entry_path,
        &format!("read{suffix}"),
        &summary,
    )
    .parameters([kind.name_parameter.clone()])
    .response(StatusCode::OK, entry_response(kind, "The entry"))
    .errors(&["InvalidParameter", kind.not_found_error])
}

fn put(kind: &EntryKind) -> Operation {
    let ((label, suffix), (schema_name, example)) = (kind.labels, &kind.body);
    let summary = format!("Create or replace a {label}");
    let body = json!({
        "description": "All options of the entry. Numbers and booleans are stored as text in their original \
                        notation; an empty option or `null` counts as absent. `********` keeps the current \
                        secret.",
        "required": true,
        "content": {"application/json": {"schema": schema_ref(schema_name), "example": example}},
    });
    operation(Method::PUT, kind.entry_path, &format!("put{suffix}"), &summary)
        .description(
            "The change is active on this replica when the response is sent, and on the other replicas within a \
             second. The entry is validated with the whole catalog; an error changes nothing (`InvalidDefinition`).",
        )
        .parameters([kind.name_parameter.clone(), if_match(), if_none_match()])
        .request_body(body)
        .response(StatusCode::CREATED, entry_response(kind, "The entry was created"))
        .response(StatusCode::OK, entry_response(kind, "The entry was replaced"))
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
    let (label, suffix) = kind.labels;
    let summary = format!("Delete a {label}");
    let delete = operation(
        Method::DELETE,
        kind.entry_path,
        &format!("delete{suffix}"),
        &summary,
    )
    .parameters([kind.name_parameter.clone(), if_match()])
    .errors(&["InvalidParameter", kind.not_found_error])
    .errors(&WRITE_ERRORS);
    ok_response(delete, "The entry is deleted")
}
