//! Import, export and restore of the catalog.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    ETAG_LINK, WRITE_ERRORS, if_match, if_none_match, operation, schema_response, with_etag,
    with_link,
};
use crate::http::openapi::{components::query_parameter, operation::Operation};

const PATH: &str = "/genesys/1/admin/catalog";
const DRY_RUN: &str = "`dry_run=true` validates the import without making it. The response lists the changes, and its \
                       `ETag` is the version that the import was compared with, for the `If-Match` of the import. A \
                       dry run needs no `If-Match`.";
const EXAMPLE: &str = "\
[services.call-support]
_type = \"builtin\"
_service = \"request-interaction\"
_resource_group = \"support\"

[resources.support]
_allocation_strategy = \"CLUSTER\"
numbers = [\"8005550101\", \"8005550102\"]
";

/// The operations on the whole catalog.
pub(super) fn operations() -> [Operation; 5] {
    [
        export(),
        import(
            Method::PUT,
            ("replaceCatalog", "Replace the catalog"),
            "Afterwards the catalog has the entries of the body and of the catalog file; all other stored \
             entries are deleted.",
        ),
        import(
            Method::POST,
            ("mergeCatalog", "Merge into the catalog"),
            "Creates or replaces the entries of the body; all other entries stay.",
        ),
        lost(),
        restore(),
    ]
}

fn lost() -> Operation {
    let path = "/genesys/1/admin/catalog/lost";
    let response = schema_response("The lost entries; empty if there are none", "LostEntries");
    let response = with_link(
        with_etag(response),
        ("restore", "restoreCatalog"),
        &[ETAG_LINK],
    );
    operation(Method::GET, path, "listLostEntries", "List lost entries")
        .description(
            "If Redis returns empty or with an older catalog (`FLUSHALL`, a lost disk), each replica keeps its \
             copy of the missing entries until they exist again or until it restarts. This lists the entries \
             that the responding replica can restore.",
        )
        .response(StatusCode::OK, response)
}

fn restore() -> Operation {
    let path = "/genesys/1/admin/catalog/restore";
    operation(Method::POST, path, "restoreCatalog", "Restore lost entries")
        .description(
            "Restores all entries that the responding replica can restore, including secrets, or none. Entries \
             created or changed since the loss stay unchanged. `If-Match` has the current version of the \
             catalog; `PreconditionFailed` if the catalog has changed meanwhile, or if this replica has no \
             lost entries.",
        )
        .parameters([if_match(), if_none_match()])
        .response(
            StatusCode::OK,
            with_etag(schema_response("The entries are active on this replica", "ImportReport")),
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
        "description": "The catalog",
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
        "Export the catalog",
    )
    .description(
        "A catalog file in TOML, including the entries of the catalog file, as `text/plain` for \
             `Accept: text/plain`. Secrets are replaced by `********`, which keeps the current secret in an \
             import.",
    )
    .response(StatusCode::OK, response)
}

fn import(method: Method, (name, summary): (&str, &str), description: &str) -> Operation {
    let details = "All changes are made, or none. The body may include unchanged entries of the catalog file.";
    let dry_run = json!({
        "description": "Report the changes without making them",
        "type": "boolean", "default": false,
    });
    operation(method, PATH, name, summary)
        .description(&format!("{description} {details} {DRY_RUN}"))
        .parameters([
            if_match(),
            if_none_match(),
            query_parameter("dry_run", &dry_run),
        ])
        .request_body(body())
        .response(
            StatusCode::OK,
            with_etag(schema_response(
                "The catalog is active on this replica",
                "ImportReport",
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
    // Client generators drop an operation with the content type `application/toml`.
    let toml = json!({"schema": {"type": "string", "format": "binary"}, "example": EXAMPLE});
    json!({
        "description": "A catalog file in TOML: `[services.<name>]` and `[resources.<group>]` tables of \
                        options, as `application/octet-stream` or `application/toml`",
        "required": true,
        "content": {"application/octet-stream": toml},
    })
}
