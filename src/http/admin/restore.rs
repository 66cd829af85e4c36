//! `/genesys/1/admin/catalog/lost` and `.../restore`: what the store has lost of the catalog, and making it
//! again.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{admin, catalog::Told, condition, of_revision, operator};
use crate::{
    http::{Api, ApiError},
    service::LostEntries,
};

/// What is lost.
#[derive(Debug, Serialize)]
struct LostResponse {
    /// When this replica noticed.
    noticed: Option<String>,
    lost_version: Option<String>,
    version: String,
    services: Vec<String>,
    resources: Vec<String>,
}

/// The JSON Schema of what is lost.
pub(in crate::http) fn lost_schema() -> Value {
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

impl From<LostEntries> for LostResponse {
    fn from(lost: LostEntries) -> Self {
        use crate::store::Table;
        let names = |table: Table| {
            let of_table = lost.entries.iter().filter(move |name| name.0 == table);
            of_table.map(|name| name.1.clone()).collect()
        };
        Self {
            noticed: lost.noticed.map(|noticed| noticed.to_string()),
            services: names(Table::Services),
            resources: names(Table::Resources),
            lost_version: lost.lost_version.clone(),
            version: lost.version.clone(),
        }
    }
}

/// `GET /genesys/1/admin/catalog/lost`
pub(in crate::http) async fn lost(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let lost = LostResponse::from(admin(&api)?.lost());
    Ok(of_revision(StatusCode::OK, &lost.version.clone()).json(lost))
}

/// `POST /genesys/1/admin/catalog/restore`: on the condition of the version that there is.
pub(in crate::http) async fn restore(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (condition, by) = (condition(&request)?, operator(&api, &request));
    let restored = admin(&api)?.restore(&condition, &by).await?;
    Ok(of_revision(StatusCode::OK, &restored.version.clone()).json(Told::from(restored)))
}
