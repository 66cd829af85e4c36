//! `/genesys/1/admin/catalog/lost` and `.../restore`: catalog entries that the store has lost, and their restore.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, import_export::ImportResponse, precondition, with_etag};
use crate::{
    http::{ApiError, AppState},
    service::LostEntries,
};

/// The lost entries.
#[derive(Debug, Serialize)]
struct LostEntriesResponse {
    detected_at: Option<String>,
    lost_version: Option<String>,
    version: String,
    services: Vec<String>,
    resources: Vec<String>,
}

/// The JSON Schema of the lost entries.
pub(in crate::http) fn lost_entries_schema() -> Value {
    let names = |kind: &str| {
        let description = format!("Names of the lost {kind}");
        json!({"type": "array", "description": description, "items": {"type": "string"}})
    };
    json!({
        "description": "Catalog entries that the store has lost and this replica can restore",
        "type": "object",
        "properties": {
            "detected_at": {
                "type": ["string", "null"],
                "description": "Time of detection by this replica in ISO 8601; null if nothing is lost",
            },
            "lost_version": {
                "type": ["string", "null"],
                "description": "The lost version of the catalog; null if nothing is lost",
            },
            "version": {
                "type": "string",
                "description": "The current version of the catalog, as in the `ETag`",
            },
            "services": names("configured services"),
            "resources": names("resource groups"),
        },
        "required": ["detected_at", "lost_version", "version", "services", "resources"],
        "additionalProperties": false,
    })
}

impl From<LostEntries> for LostEntriesResponse {
    fn from(lost: LostEntries) -> Self {
        use crate::model::Table;
        let names = |table: Table| {
            let in_table = lost.entries.iter().filter(move |name| name.0 == table);
            in_table.map(|name| name.1.clone()).collect()
        };
        Self {
            detected_at: lost.detected_at.map(|time| time.to_string()),
            services: names(Table::Services),
            resources: names(Table::Resources),
            lost_version: lost.lost_version.clone(),
            version: lost.version.clone(),
        }
    }
}

/// `GET /genesys/1/admin/catalog/lost`
pub(in crate::http) async fn list_lost_entries(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let lost = LostEntriesResponse::from(admin_service(&state)?.lost_entries());
    Ok(with_etag(StatusCode::OK, &lost.version.clone()).json(lost))
}

/// `POST /genesys/1/admin/catalog/restore`: the precondition is the current version of the catalog.
pub(in crate::http) async fn restore_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (condition, actor) = (precondition(&request)?, actor(&state, &request));
    let report = admin_service(&state)?
        .restore_entries(&condition, &actor)
        .await?;
    Ok(with_etag(StatusCode::OK, &report.version.clone()).json(ImportResponse::from(report)))
}
