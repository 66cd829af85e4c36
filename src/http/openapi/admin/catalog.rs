//! The whole catalogue.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ITS_STATE, OF_STATES, if_match, if_none_match, leading, of_state, operation, told};
use crate::http::openapi::{operation::Operation, shapes::query};

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
    let response = told("What is lost; no names if nothing is", "LostEntries");
    let response = leading(
        of_state(response),
        ("restore", "restoreCatalog"),
        &[ITS_STATE],
    );
    operation(Method::GET, path, "listLostEntries", "List lost entries")
        .described(
            "If Redis comes back empty or with an older catalog (`FLUSHALL`, a lost disk), each replica that \
             knew more keeps its copy until the entries are there again, or until it restarts. This lists \
             what the replica that answers can restore.",
        )
        .answering(StatusCode::OK, response)
}

fn restore() -> Operation {
    let path = "/genesys/1/admin/catalog/restore";
    operation(Method::POST, path, "restoreCatalog", "Restore lost entries")
        .described(
            "All that the replica that answers can restore is made again, secrets included, or nothing. \
             Entries made or changed since the loss stay as they are. `If-Match` names the version that \
             there is now; `PreconditionFailed` if it has changed, as when somebody else was faster, or if \
             this replica knows of no loss.",
        )
        .taking([if_match(), if_none_match()])
        .answering(
            StatusCode::OK,
            of_state(told("The entries are in force on this replica", "Imported")),
        )
        .failing(&["InvalidParameter", "InvalidDefinition", "TooLarge"])
        .failing(&OF_STATES)
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
    let response = leading(
        of_state(response),
        ("replace", "replaceCatalog"),
        &[ITS_STATE],
    );
    operation(
        Method::GET,
        PATH,
        "exportCatalog",
        "Read the whole catalogue",
    )
    .described(
        "As a catalogue file in TOML, what the configured one says included, as `text/plain` for \
             `Accept: text/plain`. In place of secrets is `********`, \
             which stands for the secret there is when it is sent back.",
    )
    .answering(StatusCode::OK, response)
}

fn import(method: Method, (name, summary): (&str, &str), description: &str) -> Operation {
    let state =
        "It is made whole or not at all. Entries of the catalogue file may be in it, as they are.";
    let dry_run = json!({
        "description": "Whether nothing is to be changed",
        "type": "boolean", "default": false,
    });
    operation(method, PATH, name, summary)
        .described(&format!("{description} {state} {DRY_RUN}"))
        .taking([if_match(), if_none_match(), query("dry_run", &dry_run)])
        .reading(body())
        .answering(
            StatusCode::OK,
            of_state(told("It is in force on this replica", "Imported")),
        )
        .failing(&[
            "InvalidParameter",
            "InvalidDefinition",
            "InvalidBody",
            "TooLarge",
            "UnsupportedMediaType",
        ])
        .failing(&OF_STATES)
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
