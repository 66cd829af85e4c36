//! `/genesys/1/admin/catalog`: the whole catalogue as TOML, out and in.

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
    let by = actor(&api, &request);
    let imported = admin_service(&api)?
        .import_catalog(&text, mode, &condition, &by)
        .await?;
    Ok(with_etag(StatusCode::OK, &imported.version.clone()).json(ImportResponse::from(imported)))
}
