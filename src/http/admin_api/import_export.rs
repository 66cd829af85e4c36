//! `/genesys/1/admin/catalog`: the whole catalogue as TOML, out and in.

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
    service::{ImportMode, ImportReport},
    store::EntryName,
};

const TEXT_PLAIN: &str = "text/plain;charset=utf-8";

/// What an import did, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct ImportResponse {
    version: String,
    created: usize,
    replaced: usize,
    deleted: usize,
    unchanged: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// Of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<EntryChange>>,
}

/// What an import would do to one entry.
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
fn changes(imported: &ImportReport) -> Vec<EntryChange> {
    let mut options: BTreeMap<&EntryName, Vec<OptionChange>> = BTreeMap::new();
    for difference in &imported.differences {
        let change = OptionChange {
            option: difference.option.clone(),
            before: difference.before.clone(),
            after: difference.after.clone(),
        };
        options.entry(&difference.entry).or_default().push(change);
    }
    let actions = [
        ("delete", &imported.deleted),
        ("replace", &imported.replaced),
        ("create", &imported.created),
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

/// The JSON Schema of one of them.
fn change_schema() -> Value {
    let value = json!({
        "type": ["string", "null"],
        "description": "`null` if the entry does not have the option; a list is joined by `, `; secrets are hidden",
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

/// The JSON Schema of what an import did.
pub(in crate::http) fn import_schema() -> Value {
    let entries = |which: &str| json!({"type": "integer", "minimum": 0, "description": which});
    json!({
        "description": "What an import did",
        "type": "object",
        "properties": {
            "version": {
                "type": "string",
                "description": "The version there is afterwards, as in the `ETag`",
            },
            "created": entries("Entries that are new"),
            "replaced": entries("Entries that say something else now"),
            "deleted": entries("Entries that are no longer there"),
            "unchanged": entries("Entries that said so before, those of the file included"),
            "warnings": {
                "type": "array", "items": {"type": "string"},
                "description": "The first 100 options that are probably misspelled, with the option that was \
                                probably meant; absent if there are none",
            },
            "changes": {
                "type": "array", "items": change_schema(),
                "description": "What would change, deletions first; only of a dry run",
            },
        },
        "required": ["version", "created", "replaced", "deleted", "unchanged"],
        "additionalProperties": false,
    })
}

impl From<ImportReport> for ImportResponse {
    fn from(imported: ImportReport) -> Self {
        Self {
            version: imported.version,
            created: imported.created.len(),
            replaced: imported.replaced.len(),
            deleted: imported.deleted.len(),
            unchanged: imported.unchanged,
            warnings: imported.warnings,
            changes: None,
        }
    }
}

/// `GET /genesys/1/admin/catalog`
pub(in crate::http) async fn export_catalog(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, text) = admin_service(&api)?.export_catalog().await?;
    let mut answer = with_etag(StatusCode::OK, &version);
    let name = "attachment; filename=\"catalog.toml\"";
    let accepted = request.headers().get(ACCEPT);
    let as_text = accepted.is_some_and(|accepted| accepted == "text/plain");
    let kind = if as_text { TEXT_PLAIN } else { body::TOML };
    answer.insert_header((CONTENT_TYPE, kind));
    response::body_within_budget(answer.insert_header((CONTENT_DISPOSITION, name)), text)
}

/// The parameter `dry_run`.
fn is_dry_run(api: &AppState, request: &HttpRequest) -> Result<bool, ApiError> {
    let query = body::parse_query(api, request)?;
    match query.text("dry_run") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::InvalidParameter(format!(
            "dry_run is {other:?}; true or false is allowed"
        ))),
    }
}

/// `PUT /genesys/1/admin/catalog`: afterwards there is what the body says. `POST`: what it says is added,
/// or replaces what it names.
pub(in crate::http) async fn import_catalog(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let condition = precondition(&request)?;
    let text = body::read_text(&api, &request, payload, body::TOML).await?;
    let mode = match *request.method() {
        Method::PUT => ImportMode::Replace,
        _ => ImportMode::Merge,
    };
    if is_dry_run(&api, &request)? {
        let preview = admin_service(&api)?
            .preview_import(&text, mode, &condition)
            .await?;
        let mut response = with_etag(StatusCode::OK, &preview.version);
        let changes = Some(changes(&preview));
        let told = ImportResponse {
            changes,
            ..preview.into()
        };
        return response::json_with(&mut response, &told);
    }
    let by = actor(&api, &request);
    let imported = admin_service(&api)?
        .import_catalog(&text, mode, &condition, &by)
        .await?;
    Ok(with_etag(StatusCode::OK, &imported.version.clone()).json(ImportResponse::from(imported)))
}
