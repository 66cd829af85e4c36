//! `/genesys/1/admin/groups`: resource groups.

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
                AdminErrors, BodyErrors, CatalogErrors, GroupNotFound, InvalidDefinition,
                InvalidParameter,
            },
            options::ResourceGroup,
            parameters::{CreateOnlyHeader, IfMatchHeader},
        },
        response,
    },
    model::Table,
};

/// The name in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct GroupNamePath {
    /// The name: 1 to 64 bytes, without braces and control characters, and not `.` or `..`; encode `/` as `%2F`.
    #[param(
        example = "sales",
        min_length = 1,
        max_length = 64,
        pattern = "^[^{}\\x00-\\x1F\\x7F-\\x9F]+$"
    )]
    name: String,
}

/// The operations on resource groups.
pub(in crate::http) struct GroupOperations;

impl EntryOperations for GroupOperations {
    const READ: &str = "readGroup";
    const PUT: &str = "putGroup";
    const DELETE: &str = "deleteGroup";
}

/// `GET /genesys/1/admin/groups`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/groups",
    operation_id = "listGroups",
    tag = "resource groups",
    summary = "List all resource groups",
    description = "`size` is the number of access numbers of a group.",
    responses(ListResponses<GroupOperations>, AdminErrors),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_groups(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::list_entries(&state, Table::Resources).await
}

/// `GET /genesys/1/admin/groups/{name}`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/groups/{name}",
    operation_id = "readGroup",
    tag = "resource groups",
    summary = "Read a resource group",
    description = "The options of the definition, with secrets masked, and its `ETag`.",
    params(GroupNamePath),
    responses(ReadResponses<GroupOperations>, AdminErrors, InvalidParameter, GroupNotFound),
    security(("admin" = [])),
)]
pub(in crate::http) async fn read_group(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::read_entry(&state, &request, Table::Resources).await
}

/// `PUT /genesys/1/admin/groups/{name}`
#[utoipa::path(
    put,
    path = "/genesys/1/admin/groups/{name}",
    operation_id = "putGroup",
    tag = "resource groups",
    summary = "Create or replace a resource group",
    params(GroupNamePath, IfMatchHeader, CreateOnlyHeader),
    description = PUT_DESCRIPTION,
    request_body(
        description = BODY_DESCRIPTION,
        content((ResourceGroup = "application/json", example = json!({
            "_allocation_strategy": "CLUSTER", "_booking_expiration_timeout": 60,
            "numbers": ["8005550201", "8005550202"],
        }))),
    ),
    responses(PutResponses<GroupOperations>, AdminErrors, CatalogErrors, BodyErrors, InvalidDefinition),
    security(("admin" = [])),
)]
pub(in crate::http) async fn put_group(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::put_entry(&state, &request, payload, Table::Resources).await
}

/// `DELETE /genesys/1/admin/groups/{name}`
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/groups/{name}",
    operation_id = "deleteGroup",
    tag = "resource groups",
    summary = "Delete a resource group",
    description = "Bookings of the group stay valid. A group that a configured service uses cannot be deleted.",
    params(GroupNamePath, IfMatchHeader),
    responses(
        (status = 200, description = "The entry is deleted", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, CatalogErrors, InvalidDefinition, GroupNotFound,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn delete_group(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    catalog_entries::delete_entry(&state, &request, Table::Resources).await
}
