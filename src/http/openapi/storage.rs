//! The storage of a service, and requests to it.

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

/// The operations on the storage of services that a listener with these groups has.
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
        binary(
            Method::HEAD,
            "tellBinary",
            "Tell a binary without its bytes",
        ),
        send_request(Method::POST, "askService", limits).request_body(form_data_body(limits, &[])),
        send_request(Method::GET, "askServiceByQuery", limits),
    ]
}

fn read_all() -> Operation {
    Operation::new(
        Method::GET,
        STORAGE,
        ("storage", "readStorage"),
        "Read all strings",
    )
    .description("Binaries are not among them; `GET /genesys/1/service/{service}` lists those.")
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
            "Merges key by key; either all pairs are stored or none. A name is one slot: a string replaces \
             a binary of that name, and the other way round. The service does not live longer for it.",
        )
        .client_auth()
        .parameters([service_id_parameter(), query_fields_parameter(limits)])
        .request_body(form_data_body(limits, &[]))
        .response(StatusCode::OK, empty_response("All of it is stored"))
        .errors(&["ServiceNotFound", "StoreFull"])
        .errors(&BODY_ERRORS)
}

fn clear() -> Operation {
    Operation::new(
        Method::DELETE,
        STORAGE,
        ("storage", "clearStorage"),
        "Empty the storage",
    )
    .description("The service lives on.")
    .client_auth()
    .parameters([service_id_parameter()])
    .response(StatusCode::OK, text_response("It is empty", "OK"))
    .errors(&["ServiceNotFound", "StoreFull"])
}

fn read() -> Operation {
    let strings = schema_ref("Strings");
    let response = json!({
        "description": "The string: an object of this one key; with `Accept: text/plain` the bare value",
        "content": {
            "application/json": {"schema": strings, "example": {"Key1": "Value1"}},
            "text/plain": {"schema": {"type": "string"}, "example": "Value1"},
        },
    });
    Operation::new(Method::GET, KEY, ("storage", "readKey"), "Read one string")
        .description(
            "Where the key holds a binary, the message of the 404 names the path to read it.",
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
    .description("That there is none is no error.")
    .client_auth()
    .parameters([service_id_parameter(), key_parameter("Key1")])
    .response(StatusCode::OK, text_response("The key holds nothing", "OK"))
    .errors(&["ServiceNotFound", "StoreFull"])
}

fn binary(method: Method, name: &str, summary: &str) -> Operation {
    let content = if method == Method::GET {
        // The first is for generators of clients, which know no ranges.
        json!({
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "*/*": {"schema": {}},
        })
    } else {
        json!({})
    };
    let has_ranges = method == Method::GET;
    let operation = Operation::new(method, BINARY, ("binaries", name), summary)
        .description("With the content type and the file name that it was uploaded with.")
        .client_auth()
        .parameters([
            service_id_parameter(),
            key_parameter("MyPic.png"),
            header_parameter(
                "If-Match",
                "Versions of which one has to be the current one, by their `ETag`, or `*`. Weak ones never are.",
                &json!({"type": "string"}),
            ),
            header_parameter(
                "If-None-Match",
                "Versions that the client has, as the `ETag` told them, or `*`.",
                &json!({"type": "string"}),
            ),
        ])
        .response(
            StatusCode::OK,
            json!({"description": "The whole binary", "headers": binary_headers(false), "content": content}),
        )
        .response(
            StatusCode::NOT_MODIFIED,
            json!({"description": "The client has this version", "headers": binary_headers(false)}),
        )
        .errors(&["Forbidden", "ServiceNotFound", "KeyNotFound", "PreconditionFailed"]);
    if !has_ranges {
        return operation;
    }
    operation
        .parameters([
            header_parameter(
                "Range",
                "One range of bytes, such as `bytes=0-499`. Several, and other units, get the whole.",
                &json!({"type": "string"}),
            ),
            header_parameter(
                "If-Range",
                "The version that the range is of; if there is another one by now the whole is sent.",
                &json!({"type": "string"}),
            ),
        ])
        .response(
            StatusCode::PARTIAL_CONTENT,
            json!({"description": "The range", "headers": binary_headers(true), "content": content}),
        )
        .errors(&["RangeNotSatisfiable"])
}

/// The headers of a binary, or of a part of one.
fn binary_headers(partial: bool) -> Value {
    let text = |description: &str| json!({"description": description, "required": true, "schema": {"type": "string"}});
    let mut headers = json!({
        "ETag": text("The version: a name that is written again is another one"),
        "Content-Disposition": text("`attachment`, with the file name"),
        "Accept-Ranges": text("`bytes`"),
        "X-Content-Type-Options": text("`nosniff`: whoever uploaded it says what it is"),
    });
    if partial {
        headers["Content-Range"] = text("Which bytes of how many");
    }
    headers
}

fn send_request(method: Method, name: &str, limits: &Limits) -> Operation {
    let request = path_parameter(
        "request",
        "The name of a request. It may span segments (`ixn/chat/send`). Every service knows `update`; those \
         with a backend know others.",
        "update",
    );
    let response = json!({
        "description": "Of `update`: nothing. Of any other: what the backend answered, JSON as it is",
    });
    Operation::new(method, REQUEST, ("requests", name), "Ask a service")
        .description(
            "`update` writes to the storage. Any other request is passed on to the backend of the service \
             with all its pairs; files go to the storage, and their pairs carry the path to read them.",
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
