//! The storage of a service, and requests to it.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    services::OF_BODIES,
    shapes::{answer, body, empty, gms_user, header, id, key, place, query_pairs, schema, text},
};
use crate::settings::{Groups, Limits};

const STORAGE: &str = "/genesys/1/service/{id}/storage";
const KEY: &str = "/genesys/1/service/{id}/storage/{key}";
const BINARY: &str = "/genesys/1/service/{id}/storage/binary/{key}";
const REQUEST: &str = "/genesys/1/service/{id}/{request}";

/// The operations on the storage of services that a listener with these groups has.
pub(super) fn operations(groups: Groups, limits: &Limits) -> Vec<Operation> {
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
        ask(Method::POST, "askService", limits).reading(body(limits, &[])),
        ask(Method::GET, "askServiceByQuery", limits),
    ]
}

fn read_all() -> Operation {
    Operation::new(
        Method::GET,
        STORAGE,
        ("storage", "readStorage"),
        "Read all strings",
    )
    .described("Binaries are not among them; `GET /genesys/1/service/{service}` lists those.")
    .of_callers()
    .taking([id()])
    .answering(StatusCode::OK, answer("All strings", &schema("Strings")))
    .failing(&["Forbidden", "ServiceNotFound", "TooLarge"])
}

fn write(limits: &Limits) -> Operation {
    Operation::new(Method::POST, STORAGE, ("storage", "writeStorage"), "Write to the storage")
        .described(
            "Merges key by key; either all pairs are stored or none. A name is one slot: a string replaces \
             a binary of that name, and the other way round. The service does not live longer for it.",
        )
        .of_callers()
        .taking([id(), query_pairs(limits)])
        .reading(body(limits, &[]))
        .answering(StatusCode::OK, empty("All of it is stored"))
        .failing(&["ServiceNotFound", "StoreFull"])
        .failing(&OF_BODIES)
}

fn clear() -> Operation {
    Operation::new(
        Method::DELETE,
        STORAGE,
        ("storage", "clearStorage"),
        "Empty the storage",
    )
    .described("The service lives on.")
    .of_callers()
    .taking([id()])
    .answering(StatusCode::OK, text("It is empty", "OK"))
    .failing(&["ServiceNotFound", "StoreFull"])
}

fn read() -> Operation {
    let strings = schema("Strings");
    let response = json!({
        "description": "The string: an object of this one key; with `Accept: text/plain` the bare value",
        "content": {
            "application/json": {"schema": strings, "example": {"Key1": "Value1"}},
            "text/plain": {"schema": {"type": "string"}, "example": "Value1"},
        },
    });
    Operation::new(Method::GET, KEY, ("storage", "readKey"), "Read one string")
        .described(
            "Where the key holds a binary, the message of the 404 names the path to read it.",
        )
        .of_callers()
        .taking([id(), key("Key1")])
        .answering(StatusCode::OK, response)
        .failing(&["Forbidden", "ServiceNotFound", "KeyNotFound"])
}

fn delete_key() -> Operation {
    Operation::new(
        Method::DELETE,
        KEY,
        ("storage", "deleteKey"),
        "Delete a string or a binary",
    )
    .described("That there is none is no error.")
    .of_callers()
    .taking([id(), key("Key1")])
    .answering(StatusCode::OK, text("The key holds nothing", "OK"))
    .failing(&["ServiceNotFound", "StoreFull"])
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
        .described("With the content type and the file name that it was uploaded with.")
        .of_callers()
        .taking([
            id(),
            key("MyPic.png"),
            header(
                "If-Match",
                "Versions of which one has to be the current one, by their `ETag`, or `*`. Weak ones never are.",
                &json!({"type": "string"}),
            ),
            header(
                "If-None-Match",
                "Versions that the client has, as the `ETag` told them, or `*`.",
                &json!({"type": "string"}),
            ),
        ])
        .answering(
            StatusCode::OK,
            json!({"description": "The whole binary", "headers": headers(false), "content": content}),
        )
        .answering(
            StatusCode::NOT_MODIFIED,
            json!({"description": "The client has this version", "headers": headers(false)}),
        )
        .failing(&["Forbidden", "ServiceNotFound", "KeyNotFound", "PreconditionFailed"]);
    if !has_ranges {
        return operation;
    }
    operation
        .taking([
            header(
                "Range",
                "One range of bytes, such as `bytes=0-499`. Several, and other units, get the whole.",
                &json!({"type": "string"}),
            ),
            header(
                "If-Range",
                "The version that the range is of; if there is another one by now the whole is sent.",
                &json!({"type": "string"}),
            ),
        ])
        .answering(
            StatusCode::PARTIAL_CONTENT,
            json!({"description": "The range", "headers": headers(true), "content": content}),
        )
        .failing(&["RangeNotSatisfiable"])
}

/// The headers of a binary, or of a part of one.
fn headers(partial: bool) -> Value {
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

fn ask(method: Method, name: &str, limits: &Limits) -> Operation {
    let request = place(
        "request",
        "The name of a request. It may span segments (`ixn/chat/send`). Every service knows `update`; those \
         with a backend know others.",
        "update",
    );
    let response = json!({
        "description": "Of `update`: nothing. Of any other: what the backend answered, JSON as it is",
    });
    Operation::new(method, REQUEST, ("requests", name), "Ask a service")
        .described(
            "`update` writes to the storage. Any other request is passed on to the backend of the service \
             with all its pairs; files go to the storage, and their pairs carry the path to read them.",
        )
        .of_callers()
        .taking([id(), request, query_pairs(limits), gms_user()])
        .answering(StatusCode::OK, response)
        .failing(&[
            "ServiceNotFound",
            "RequestNotFound",
            "StoreFull",
            "BackendUnreachable",
            "BackendTimeout",
        ])
        .failing(&OF_BODIES)
}
