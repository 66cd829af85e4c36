//! `/genesys/1/admin/catalog`: export and import of the catalog as TOML.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    web,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, precondition, with_etag};
use crate::{
    http::{ApiError, AppState, body, response},
    model::EntryName,
    service::{ImportMode, ImportReport},
};

const TEXT_PLAIN: &str = "text/plain;charset=utf-8";

/// The result of an import.
#[derive(Debug, Serialize)]
pub(super) struct ImportResponse {
    version: String,
    created: usize,
    replaced: usize,
    deleted: usize,
    unchanged: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Only for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<EntryChange>>,
}

/// A change of an entry by an import.
#[derive(Debug, Serialize)]
struct EntryChange {
    table: &'static str,
    name: String,
    action: &'static str,
    options: Vec<OptionChange>,
}

#[derive(Debug, Serialize)]
struct OptionChange {
    option: String,
    before: Option<String>,
    after: Option<String>,
}

/// The changes of an import, deletions first.
fn changes(report: &ImportReport) -> Vec<EntryChange> {
    let mut options: BTreeMap<&EntryName, Vec<OptionChange>> = BTreeMap::new();
    for difference in &report.differences {
        let change = OptionChange {
            option: difference.option.clone(),
            before: difference.before.clone(),
            after: difference.after.clone(),
        };
        options.entry(&difference.entry).or_default().push(change);
    }
    let actions = [
        ("delete", &report.deleted),
        ("replace", &report.replaced),
        ("create", &report.created),
    ];
    let entries = actions
        .into_iter()
        .flat_map(|(action, entries)| entries.iter().map(move |entry| (action, entry)));
    let changes = entries.map(|(action, entry)| EntryChange {
        table: entry.0.name(),
        name: entry.1.clone(),
        action,
        options: options.remove(entry).unwrap_or_default(),
    });
    changes.collect()
}

/// The JSON Schema of a change of an entry.
fn change_schema() -> Value {
    let value = json!({
        "type": ["string", "null"],
        "description": "`null` if the entry does not have the option; a list is joined by `, `; secrets are masked",
    });
    json!({
        "type": "object",
        "properties": {
            "table": {"enum": ["services", "resources"]},
            "name": {"type": "string"},
            "action": {"enum": ["delete", "replace", "create"]},
            "options": {
                "type": "array",
                "description": "The options that differ, if the entry is replaced",
                "items": {
                    "type": "object",
                    "properties": {"option": {"type": "string"}, "before": value, "after": value},
                    "required": ["option", "before", "after"],
                    "additionalProperties": false,
                },
            },
        },
        "required": ["table", "name", "action", "options"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of the result of an import.
pub(in crate::http) fn import_schema() -> Value {
    let count =
        |description: &str| json!({"type": "integer", "minimum": 0, "description": description});
    json!({
        "description": "Result of an import",
        "type": "object",
        "properties": {
            "version": {
                "type": "string",
                "description": "The new version of the catalog, as in the `ETag`",
            },
            "created": count("Created entries"),
            "replaced": count("Changed entries"),
            "deleted": count("Deleted entries"),
            "unchanged": count("Unchanged entries, including those of the catalog file"),
            "warnings": {
                "type": "array", "items": {"type": "string"},
                "description": "The first 100 probably misspelled options, each with a suggestion; absent if there are \
                                none",
            },
            "changes": {
                "type": "array", "items": change_schema(),
                "description": "Only for a dry run: the changes that the import would make, deletions first",
            },
        },
        "required": ["version", "created", "replaced", "deleted", "unchanged"],
        "additionalProperties": false,
    })
}

impl From<ImportReport> for ImportResponse {
    fn from(report: ImportReport) -> Self {
        Self {
            version: report.version,
            created: report.created.len(),
            replaced: report.replaced.len(),
            deleted: report.deleted.len(),
            unchanged: report.unchanged,
            warnings: report.warnings,
            changes: None,
        }
    }
}

/// `GET /genesys/1/admin/catalog`
pub(in crate::http) async fn export_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, text) = admin_service(&state)?.export_catalog().await?;
    let mut response = with_etag(StatusCode::OK, &version);
    let disposition = "attachment; filename=\"catalog.toml\"";
    let accept = request.headers().get(ACCEPT);
    let is_text = accept.is_some_and(|accept| accept == "text/plain");
    let content_type = if is_text { TEXT_PLAIN } else { body::TOML };
    response.insert_header((CONTENT_TYPE, content_type));
    response::body_within_budget(
        response.insert_header((CONTENT_DISPOSITION, disposition)),
        text,
    )
}

/// The query parameter `dry_run`.
fn is_dry_run(state: &AppState, request: &HttpRequest) -> Result<bool, ApiError> {
    let query = body::parse_query(state, request)?;
    match query.text("dry_run") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::InvalidParameter(format!(
            "dry_run is {other:?}, expected true or false"
        ))),
    }
}

/// `PUT /genesys/1/admin/catalog` replaces all stored entries with the body. `POST` creates or replaces the entries of
/// the body and keeps all others.
pub(in crate::http) async fn import_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let condition = precondition(&request)?;
    let text = body::read_text(&state, &request, payload, body::TOML).await?;
    let mode = match *request.method() {
        Method::PUT => ImportMode::Replace,
        _ => ImportMode::Merge,
    };
    if is_dry_run(&state, &request)? {
        let preview = admin_service(&state)?
            .preview_import(&text, mode, &condition)
            .await?;
        let mut response = with_etag(StatusCode::OK, &preview.version);
        let changes = Some(changes(&preview));
        let report = ImportResponse {
            changes,
            ..preview.into()
        };
        return response::json_with(&mut response, &report);
    }
    let actor = actor(&state, &request);
    let report = admin_service(&state)?
        .import_catalog(&text, mode, &condition, &actor)
        .await?;
    Ok(with_etag(StatusCode::OK, &report.version.clone()).json(ImportResponse::from(report)))
}
