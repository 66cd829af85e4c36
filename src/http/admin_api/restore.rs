//! `/genesys/1/admin/catalog/lost` and `.../restore`: what the store has lost of the catalog, and making it
//! again.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, import_export::ImportResponse, precondition, with_etag};
use crate::{
    http::{ApiError, AppState},
    service::LostEntries,
};

/// What is lost.
#[derive(Debug, Serialize)]
struct LostEntriesResponse {
    /// When this replica noticed.
    noticed: Option<String>,
    lost_version: Option<String>,
    version: String,
    services: Vec<String>,
    resources: Vec<String>,
}

/// The JSON Schema of what is lost.
pub(in crate::http) fn lost_entries_schema() -> Value {
    let names = |of: &str| {
        let description = format!("Names of the {of} that are lost");
        json!({"type": "array", "description": description, "items": {"type": "string"}})
    };
    json!({
        "description": "What the store has lost of the catalog and this replica still knows",
        "type": "object",
        "properties": {
            "noticed": {
                "type": ["string", "null"],
                "description": "When this replica noticed, in ISO 8601; null if nothing is lost",
            },
            "lost_version": {
                "type": ["string", "null"],
                "description": "The version that was lost; null if nothing is lost",
            },
            "version": {
                "type": "string",
                "description": "The version there is now, as in the `ETag`",
            },
            "services": names("configured services"),
            "resources": names("resource groups"),
        },
        "required": ["noticed", "lost_version", "version", "services", "resources"],
        "additionalProperties": false,
    })
}

impl From<LostEntries> for LostEntriesResponse {
    fn from(lost: LostEntries) -> Self {
        use crate::store::Table;
        let names = |table: Table| {
            let of_table = lost.entries.iter().filter(move |name| name.0 == table);
            of_table.map(|name| name.1.clone()).collect()
        };
        Self {
            noticed: lost.detected_at.map(|noticed| noticed.to_string()),
            services: names(Table::Services),
            resources: names(Table::Resources),
            lost_version: lost.lost_version.clone(),
            version: lost.version.clone(),
        }
    }
}

/// `GET /genesys/1/admin/catalog/lost`
pub(in crate::http) async fn list_lost_entries(
    api: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let lost = LostEntriesResponse::from(admin_service(&api)?.lost_entries());
    Ok(with_etag(StatusCode::OK, &lost.version.clone()).json(lost))
}

/// `POST /genesys/1/admin/catalog/restore`: on the condition of the version that there is.
pub(in crate::http) async fn restore_catalog(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (condition, by) = (precondition(&request)?, actor(&api, &request));
    let restored = admin_service(&api)?
        .restore_entries(&condition, &by)
        .await?;
    Ok(with_etag(StatusCode::OK, &restored.version.clone()).json(ImportResponse::from(restored)))
}
