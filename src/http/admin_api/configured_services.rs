//! `/genesys/1/admin/services`: configured services.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    catalog_entries::{self, BODY_DESCRIPTION, PUT_DESCRIPTION},
    catalog_responses::{EntryOperations, ListResponses, PutResponses, ReadResponses},
};
use crate::{
    http::{
        ApiError, AppState,
        openapi::{
            errors::{
                AdminErrors, BodyErrors, CatalogErrors, InvalidDefinition, InvalidParameter,
                ServiceNotFound,
            },
            options::ServiceDefinition,
            parameters::{CreateOnlyHeader, IfMatchHeader},
            surface::example_ttl_seconds,
        },
        response,
    },
    model::Table,
};

/// The name in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct DefinitionPath {
    /// The name: 1 to 128 bytes, without `/` and control characters, and not `.` or `..`.
    #[param(
        example = "call-us",
        min_length = 1,
        max_length = 128,
        pattern = "^[^/\\x00-\\x1F\\x7F-\\x9F]+$"
    )]
    name: String,
}

/// The operations on configured services.
pub(in crate::http) struct ConfiguredServiceOperations;

impl EntryOperations for ConfiguredServiceOperations {
    const READ: &str = "readConfiguredService";
    const PUT: &str = "putConfiguredService";
    const DELETE: &str = "deleteConfiguredService";
}

/// `GET /genesys/1/admin/services`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/services",
    operation_id = "listConfiguredServices",
    tag = "configured services",
    summary = "List all configured services",
    description = "Secrets are masked.",
    responses(ListResponses<ConfiguredServiceOperations>, AdminErrors),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_services(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::list_entries(&state, Table::Services).await
}

/// `GET /genesys/1/admin/services/{name}`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/services/{name}",
    operation_id = "readConfiguredService",
    tag = "configured services",
    summary = "Read a configured service",
    description = "The options of the definition, with secrets masked, and its `ETag`.",
    params(DefinitionPath),
    responses(ReadResponses<ConfiguredServiceOperations>, AdminErrors, InvalidParameter, ServiceNotFound),
    security(("admin" = [])),
)]
pub(in crate::http) async fn read_service(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::read_entry(&state, &request, Table::Services).await
}

/// `PUT /genesys/1/admin/services/{name}`
#[utoipa::path(
    put,
    path = "/genesys/1/admin/services/{name}",
    operation_id = "putConfiguredService",
    tag = "configured services",
    summary = "Create or replace a configured service",
    params(DefinitionPath, IfMatchHeader, CreateOnlyHeader),
    description = PUT_DESCRIPTION,
    request_body(
        description = BODY_DESCRIPTION,
        content((ServiceDefinition = "application/json", example = json!({
            "_type": "builtin", "_service": "request-interaction", "_resource_group": "sales",
            "_ttl": example_ttl_seconds(), "_provide_code": "true",
        }))),
    ),
    responses(PutResponses<ConfiguredServiceOperations>, AdminErrors, CatalogErrors, BodyErrors, InvalidDefinition),
    security(("admin" = [])),
)]
pub(in crate::http) async fn put_service(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::put_entry(&state, &request, payload, Table::Services).await
}

/// `DELETE /genesys/1/admin/services/{name}`
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/services/{name}",
    operation_id = "deleteConfiguredService",
    tag = "configured services",
    summary = "Delete a configured service",
    description = "Services created from it remain active until they end.",
    params(DefinitionPath, IfMatchHeader),
    responses(
        (status = 200, description = "The entry is deleted", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, CatalogErrors, ServiceNotFound,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn delete_service(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::delete_entry(&state, &request, Table::Services).await
}
