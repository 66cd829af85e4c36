//! The whole catalogue.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ETAG_LINK, WRITE_ERRORS, if_match, if_none_match, operation, schema_response, with_etag,
    with_link,
};
use crate::http::openapi::{components::query_parameter, operation::Operation};

const PATH: &str = "/genesys/1/admin/catalog";
const DRY_RUN: &str = "With `dry_run=true` the same checks are made and nothing changes: the response lists what \
                       would change, and its `ETag` is the version it was compared with, for the `If-Match` of the \
                       import. A dry run needs no `If-Match`.";
const EXAMPLE: &str = "\
[services.call-support]
_type = \"builtin\"
_service = \"request-interaction\"
_resource_group = \"support\"

[resources.support]
_allocation_strategy = \"CLUSTER\"
numbers = [\"8005550101\", \"8005550102\"]
";

/// The operations on the catalogue as a whole.
pub(super) fn operations() -> [Operation; 5] {
    [
        export(),
        import(
            Method::PUT,
            ("replaceCatalog", "Replace the catalogue"),
            "Afterwards there is what the body says, and what the catalogue file says: anything else that was \
             made here is deleted.",
        ),
        import(
            Method::POST,
            ("mergeCatalog", "Add to the catalogue"),
            "What the body names is made or replaced; anything else stays.",
        ),
        lost(),
        restore(),
    ]
}

fn lost() -> Operation {
    let path = "/genesys/1/admin/catalog/lost";
    let response = schema_response("What is lost; no names if nothing is", "LostEntries");
    let response = with_link(
        with_etag(response),
        ("restore", "restoreCatalog"),
        &[ETAG_LINK],
    );
    operation(Method::GET, path, "listLostEntries", "List lost entries")
        .description(
            "If Redis comes back empty or with an older catalog (`FLUSHALL`, a lost disk), each replica that \
             knew more keeps its copy until the entries are there again, or until it restarts. This lists \
             what the replica that answers can restore.",
        )
        .response(StatusCode::OK, response)
}

fn restore() -> Operation {
    let path = "/genesys/1/admin/catalog/restore";
    operation(Method::POST, path, "restoreCatalog", "Restore lost entries")
        .description(
            "All that the replica that answers can restore is made again, secrets included, or nothing. \
             Entries made or changed since the loss stay as they are. `If-Match` names the version that \
             there is now; `PreconditionFailed` if it has changed, as when somebody else was faster, or if \
             this replica knows of no loss.",
        )
        .parameters([if_match(), if_none_match()])
        .response(
            StatusCode::OK,
            with_etag(schema_response("The entries are in force on this replica", "Imported")),
        )
        .errors(&["InvalidParameter", "InvalidDefinition", "TooLarge"])
        .errors(&WRITE_ERRORS)
}

fn export() -> Operation {
    let name = json!({
        "description": "`attachment`, with a file name",
        "required": true,
        "schema": {"type": "string"},
    });
    let response = json!({
        "description": "The catalogue",
        "headers": {"Content-Disposition": name},
        "content": {
            "application/toml": {"schema": {"type": "string"}, "example": EXAMPLE},
            "text/plain": {"schema": {"type": "string"}, "example": EXAMPLE},
        },
    });
    let response = with_link(
        with_etag(response),
        ("replace", "replaceCatalog"),
        &[ETAG_LINK],
    );
    operation(
        Method::GET,
        PATH,
        "exportCatalog",
        "Read the whole catalogue",
    )
    .description(
        "As a catalogue file in TOML, what the configured one says included, as `text/plain` for \
             `Accept: text/plain`. In place of secrets is `********`, \
             which stands for the secret there is when it is sent back.",
    )
    .response(StatusCode::OK, response)
}

fn import(method: Method, (name, summary): (&str, &str), description: &str) -> Operation {
    let state =
        "It is made whole or not at all. Entries of the catalogue file may be in it, as they are.";
    let dry_run = json!({
        "description": "Whether nothing is to be changed",
        "type": "boolean", "default": false,
    });
    operation(method, PATH, name, summary)
        .description(&format!("{description} {state} {DRY_RUN}"))
        .parameters([
            if_match(),
            if_none_match(),
            query_parameter("dry_run", &dry_run),
        ])
        .request_body(body())
        .response(
            StatusCode::OK,
            with_etag(schema_response(
                "It is in force on this replica",
                "Imported",
            )),
        )
        .errors(&[
            "InvalidParameter",
            "InvalidDefinition",
            "InvalidBody",
            "TooLarge",
            "UnsupportedMediaType",
        ])
        .errors(&WRITE_ERRORS)
}

fn body() -> Value {
    // Generators of clients drop an operation that takes `application/toml`.
    let toml = json!({"schema": {"type": "string", "format": "binary"}, "example": EXAMPLE});
    json!({
        "description": "A catalogue file in TOML: `[services.<name>]` and `[resources.<group>]` tables of \
                        options. Sent as `application/octet-stream` or `application/toml`",
        "required": true,
        "content": {"application/octet-stream": toml},
    })
}
