//! Storage of services, binaries and service-specific requests.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    components::{
        empty_response, form_data_body, gms_user_parameter, header_parameter, json_response,
        key_parameter, path_parameter, query_fields_parameter, schema_ref, service_id_parameter,
        text_response,
    },
    operation::Operation,
    services::BODY_ERRORS,
};
use crate::settings::{Limits, RouteGroups};

const STORAGE: &str = "/genesys/1/service/{id}/storage";
const KEY: &str = "/genesys/1/service/{id}/storage/{key}";
const BINARY: &str = "/genesys/1/service/{id}/storage/binary/{key}";
const REQUEST: &str = "/genesys/1/service/{id}/{request}";

/// The operations of a listener with these route groups.
pub(super) fn operations(groups: RouteGroups, limits: &Limits) -> Vec<Operation> {
    if !groups.client {
        return Vec::new();
    }
    vec![
        read_all(),
        write(limits),
        clear(),
        read(),
        delete_key(),
        binary(Method::GET, "readBinary", "Read a binary"),
        binary(Method::HEAD, "headBinary", "Read the headers of a binary"),
        send_request(Method::POST, "sendRequest", limits).request_body(form_data_body(limits, &[])),
        send_request(Method::GET, "sendRequestByQuery", limits),
    ]
}

fn read_all() -> Operation {
    Operation::new(
        Method::GET,
        STORAGE,
        ("storage", "readStorage"),
        "Read all strings",
    )
    .description("Binaries are not included; `GET /genesys/1/service/{service}` lists them.")
    .client_auth()
    .parameters([service_id_parameter()])
    .response(
        StatusCode::OK,
        json_response("All strings", &schema_ref("Strings")),
    )
    .errors(&["Forbidden", "ServiceNotFound", "TooLarge"])
}

fn write(limits: &Limits) -> Operation {
    Operation::new(Method::POST, STORAGE, ("storage", "writeStorage"), "Write to the storage")
        .description(
            "Merges the fields into the storage, all or none. A key has one value: a string replaces a binary \
             of the same name, and vice versa. The expiration time of the service does not change.",
        )
        .client_auth()
        .parameters([service_id_parameter(), query_fields_parameter(limits)])
        .request_body(form_data_body(limits, &[]))
        .response(StatusCode::OK, empty_response("All fields are stored"))
        .errors(&["ServiceNotFound", "StoreFull"])
        .errors(&BODY_ERRORS)
}

fn clear() -> Operation {
    Operation::new(
        Method::DELETE,
        STORAGE,
        ("storage", "clearStorage"),
        "Clear the storage",
    )
    .description("The service remains active.")
    .client_auth()
    .parameters([service_id_parameter()])
    .response(StatusCode::OK, text_response("The storage is empty", "OK"))
    .errors(&["ServiceNotFound", "StoreFull"])
}

fn read() -> Operation {
    let strings = schema_ref("Strings");
    let response = json!({
        "description": "The string, as an object with one member; with `Accept: text/plain` as plain text",
        "content": {
            "application/json": {"schema": strings, "example": {"Key1": "Value1"}},
            "text/plain": {"schema": {"type": "string"}, "example": "Value1"},
        },
    });
    Operation::new(Method::GET, KEY, ("storage", "readKey"), "Read a string")
        .description(
            "If the value of the key is a binary, the message of the 404 has the path of the binary.",
        )
        .client_auth()
        .parameters([service_id_parameter(), key_parameter("Key1")])
        .response(StatusCode::OK, response)
        .errors(&["Forbidden", "ServiceNotFound", "KeyNotFound"])
}

fn delete_key() -> Operation {
    Operation::new(
        Method::DELETE,
        KEY,
        ("storage", "deleteKey"),
        "Delete a string or a binary",
    )
    .description("Succeeds if there is no such key.")
    .client_auth()
    .parameters([service_id_parameter(), key_parameter("Key1")])
    .response(
        StatusCode::OK,
        text_response("The key does not exist", "OK"),
    )
    .errors(&["ServiceNotFound", "StoreFull"])
}

fn binary(method: Method, name: &str, summary: &str) -> Operation {
    let content = if method == Method::GET {
        // Client generators do not support media ranges and use the first type.
        json!({
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "*/*": {"schema": {}},
        })
    } else {
        json!({})
    };
    let has_ranges = method == Method::GET;
    let operation = Operation::new(method, BINARY, ("binaries", name), summary)
        .description("The response has the content type and the file name of the upload.")
        .client_auth()
        .parameters([
            service_id_parameter(),
            key_parameter("MyPic.png"),
            header_parameter(
                "If-Match",
                "`ETag`s, one of which must be the current version, or `*`. Weak tags never match.",
                &json!({"type": "string"}),
            ),
            header_parameter(
                "If-None-Match",
                "`ETag`s of the versions that the client has cached, or `*`.",
                &json!({"type": "string"}),
            ),
        ])
        .response(
            StatusCode::OK,
            json!({"description": "The whole binary", "headers": binary_headers(false), "content": content}),
        )
        .response(
            StatusCode::NOT_MODIFIED,
            json!({"description": "The cached version is current", "headers": binary_headers(false)}),
        )
        .errors(&["Forbidden", "ServiceNotFound", "KeyNotFound", "PreconditionFailed"]);
    if !has_ranges {
        return operation;
    }
    operation
        .parameters([
            header_parameter(
                "Range",
                "One range of bytes, such as `bytes=0-499`. Several ranges and other units return the whole binary.",
                &json!({"type": "string"}),
            ),
            header_parameter(
                "If-Range",
                "`ETag` of the version of the range. After a replacement the response has the whole binary.",
                &json!({"type": "string"}),
            ),
        ])
        .response(
            StatusCode::PARTIAL_CONTENT,
            json!({"description": "The requested range", "headers": binary_headers(true), "content": content}),
        )
        .errors(&["RangeNotSatisfiable"])
}

/// The headers of a binary, or of a part of one.
fn binary_headers(partial: bool) -> Value {
    let text = |description: &str| json!({"description": description, "required": true, "schema": {"type": "string"}});
    let mut headers = json!({
        "ETag": text("Version of the binary; each write creates a new one"),
        "Content-Disposition": text("`attachment`, with the file name"),
        "Accept-Ranges": text("`bytes`"),
        "X-Content-Type-Options": text("`nosniff`: the content type comes from the uploader"),
    });
    if partial {
        headers["Content-Range"] = text("Range and size of the binary");
    }
    headers
}

fn send_request(method: Method, name: &str, limits: &Limits) -> Operation {
    let request = path_parameter(
        "request",
        "The name of a request. It may have several segments (`ixn/chat/send`). Every service has `update`; \
         services with a backend have others.",
        "update",
    );
    let response = json!({
        "description": "For `update`: empty. For other requests: the JSON response of the backend, unchanged",
    });
    Operation::new(method, REQUEST, ("requests", name), "Send a service-specific request")
        .description(
            "`update` writes to the storage. Other requests are forwarded to the backend of the service with \
             all fields; files are written to the storage, and their fields have the path of the binary.",
        )
        .client_auth()
        .parameters([service_id_parameter(), request, query_fields_parameter(limits), gms_user_parameter()])
        .response(StatusCode::OK, response)
        .errors(&[
            "ServiceNotFound",
            "RequestNotFound",
            "StoreFull",
            "BackendUnreachable",
            "BackendTimeout",
        ])
        .errors(&BODY_ERRORS)
}
