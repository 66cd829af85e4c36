//! `/genesys/1/admin/catalog/lost` and `.../restore`: catalog entries that the store has lost, and their restore.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actor, admin_service, import_report::ImportResponse, precondition, with_etag};
use crate::{
    http::{
        ApiError, AppState,
        openapi::{
            errors::{AdminErrors, CatalogErrors, InvalidDefinition, TooLarge},
            parameters::{CreateOnlyHeader, IfMatchHeader},
        },
    },
    service::LostEntries,
};

/// Catalog entries that the store has lost and this replica can restore
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LostEntries)]
#[serde(deny_unknown_fields)]
struct LostEntriesResponse {
    /// Time of detection by this replica in ISO 8601; null if nothing is lost
    #[schema(required)]
    detected_at: Option<String>,
    /// The lost version of the catalog; null if nothing is lost
    #[schema(required)]
    lost_version: Option<String>,
    /// The current version of the catalog, as in the `ETag`
    version: String,
    /// Names of the lost configured services
    services: Vec<String>,
    /// Names of the lost resource groups
    resources: Vec<String>,
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
#[utoipa::path(
    get,
    path = "/genesys/1/admin/catalog/lost",
    operation_id = "listLostEntries",
    tag = "catalog",
    summary = "List lost entries",
    description = "If Redis returns empty or with an older catalog (`FLUSHALL`, a lost disk), each replica keeps \
                   its copy of the missing entries until they exist again or until it restarts. This lists the \
                   entries that the responding replica can restore.",
    responses(
        (status = 200, description = "The lost entries; empty if there are none", body = LostEntriesResponse, headers(("ETag" = String, description = "Version, for `If-Match`")),
            links(("restore" = (
                operation_id = "restoreCatalog", parameters(("header.If-Match" = "$response.header.ETag")),
            )))),
        AdminErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_lost_entries(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let lost = LostEntriesResponse::from(admin_service(&state)?.lost_entries());
    Ok(with_etag(StatusCode::OK, &lost.version.clone()).json(lost))
}

/// `POST /genesys/1/admin/catalog/restore`: the precondition is the current version of the catalog.
#[utoipa::path(
    post,
    path = "/genesys/1/admin/catalog/restore",
    operation_id = "restoreCatalog",
    tag = "catalog",
    summary = "Restore lost entries",
    description = "Restores all entries that the responding replica can restore, including secrets, or none. \
                   Entries created or changed since the loss stay unchanged. `If-Match` has the current version of \
                   the catalog; `PreconditionFailed` if the catalog has changed meanwhile, or if this replica has \
                   no lost entries.",
    params(IfMatchHeader, CreateOnlyHeader),
    responses(
        (status = 200, description = "The entries are active on this replica", body = ImportResponse, headers(("ETag" = String, description = "Version, for `If-Match`"))),
        AdminErrors, CatalogErrors, InvalidDefinition, TooLarge,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn restore_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (condition, actor) = (precondition(&request)?, actor(&request)?);
    let report = admin_service(&state)?
        .restore_entries(&condition, &actor)
        .await?;
    Ok(with_etag(StatusCode::OK, &report.version.clone()).json(ImportResponse::from(report)))
}
