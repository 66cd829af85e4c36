//! Creates of storage areas, and writes to them and to the storage of services.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::{
    authorize,
    parameters::{CustomIdAndTtlPath, IdAndTtlPath, TtlPath},
};
use crate::{
    http::{
        ApiError, AppState, body,
        client_api::{
            create::{add_warning, create_request_head, create_response},
            storage::conditions::{WriteConditionHeaders, write_condition},
        },
        etag, fetch_metadata,
        middleware::real_ip::client_address,
        openapi::{
            errors::{
                BodyErrors, ClientErrors, Forbidden, IdempotencyKeyReused, PreconditionFailed,
                ServiceNotFound, StoreFull,
            },
            fields::{self, DataFields, OtherFieldsQuery},
            parameters::{IdempotencyHeader, StorageUserHeader, UserHeader},
        },
        path, propagation, response,
    },
    service::StorageAreaTtl,
};

const WRITE_DESCRIPTION: &str = "\
    Merges the fields into the storage, all or none; the storage area then expires after the TTL. If there is none, a \
    request with `gms_user` creates a storage area with this custom id. Under the id of a service the fields are \
    written to its storage, and its expiration time does not change.";

const CUSTOM_DESCRIPTION: &str = "\
    Merges the fields into the storage area of the user in `gms_user`, all or none, or creates it; it then expires after \
    the TTL.";

/// The id of a storage area
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageAreaId, example = json!({"id": "session4711"}))]
struct StorageAreaIdResponse<'a> {
    /// Id for other requests
    id: &'a str,
}

/// The response of operations that create a storage area or write to it.
#[derive(IntoResponses)]
#[response(
    status = 200,
    description = "All fields are stored",
    headers(
        ("Warning" = Option<String>, description = "Present if the TTL is invalid; contains the TTL that is used instead"),
        ("ETag" = Option<String>, description = "The revision of the storage; absent if the request created it"),
    ),
)]
#[expect(dead_code, reason = "only described")]
struct WrittenResponses(#[to_schema] StorageAreaIdResponse<'static>);

/// `POST /genesys/1/storage/{ttl}`
#[utoipa::path(
    post,
    path = "/genesys/1/storage/{idOrTtl}",
    operation_id = "createStorageArea",
    tag = "storage areas",
    summary = "Create a storage area",
    description = "Stores the fields in a storage area with a new id, which expires after the TTL.",
    params(TtlPath, IdempotencyHeader, UserHeader, OtherFieldsQuery),
    request_body(content = inline(DataFields), content_type = fields::CONTENT_TYPES_WITH_FILES),
    responses(
        WrittenResponses, ClientErrors, BodyErrors, Forbidden, IdempotencyKeyReused, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn create(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_cross_site_create(&state, &request)?;
    let ttl = state
        .services
        .storage_area_ttl(&path::storage_id(&request)?)?;
    let head = create_request_head(&state, &request);
    let mut pending = state.services.prepare_storage_area(&ttl, head).await?;
    let form_data = body::read_form_data(&state, &request, payload, &mut pending.uploads).await?;
    let created = create_response(pending.finish(form_data).await?);
    Ok(with_warning(created, ttl))
}

/// `POST /genesys/1/storage/{id}/{ttl}`
#[utoipa::path(
    post,
    path = "/genesys/1/storage/{idOrTtl}/{keyOrTtl}",
    operation_id = "writeStorageArea",
    tag = "storage areas",
    summary = "Write to a storage area",
    description = WRITE_DESCRIPTION,
    params(IdAndTtlPath, WriteConditionHeaders, StorageUserHeader, OtherFieldsQuery),
    request_body(content = inline(DataFields), content_type = fields::CONTENT_TYPES_WITH_FILES),
    responses(
        WrittenResponses, ClientErrors, BodyErrors, Forbidden, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn write(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id_and_ttl = [path::storage_id(&request)?, path::storage_key(&request)?];
    write_to(&state, &request, payload, id_and_ttl, false).await
}

/// `POST /genesys/1/storage/custom/{id}/{ttl}`
#[utoipa::path(
    post,
    path = "/genesys/1/storage/custom/{id}/{ttl}",
    operation_id = "writeCustomStorageArea",
    tag = "storage areas",
    summary = "Write to a storage area with a custom id",
    description = CUSTOM_DESCRIPTION,
    params(CustomIdAndTtlPath, WriteConditionHeaders, StorageUserHeader, OtherFieldsQuery),
    request_body(content = inline(DataFields), content_type = fields::CONTENT_TYPES_WITH_FILES),
    responses(
        WrittenResponses, ClientErrors, BodyErrors, Forbidden, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn write_custom(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id_and_ttl = path::storage_id_and_last(&request)?;
    write_to(&state, &request, payload, id_and_ttl, true).await
}

/// Writes to the storage area with the custom id, or unless `is_custom` to the storage with this id.
async fn write_to(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
    [id, ttl]: [String; 2],
    is_custom: bool,
) -> Result<HttpResponse, ApiError> {
    // A write can create a storage area, and shared custom ids can be guessed.
    fetch_metadata::check_cross_site_create(state, request)?;
    let (services, condition) = (&state.services, write_condition(request)?);
    let (ttl, user) = (
        services.storage_area_ttl(&ttl)?,
        propagation::user(request)?,
    );
    let storage = services.storage_to_write(id.clone(), user, is_custom)?;
    let storage = authorize(state, request, storage).await?;
    let (user, client) = (
        user.map(str::to_owned),
        client_address(request, &state.trusted_proxies),
    );
    let mut pending = services.prepare_storage_write(storage, &ttl, user, client);
    let form_data = body::read_form_data(state, request, payload, &mut pending.uploads).await?;
    let written = pending.finish(form_data, condition).await?;
    let mut response = response::json_from(&StorageAreaIdResponse { id: &id })?;
    if let Some(revision) = written.revision {
        response = etag::with_revision(response, revision);
    }
    if written.id.is_storage_area() {
        return Ok(with_warning(response, ttl));
    }
    Ok(response)
}

fn with_warning(mut response: HttpResponse, ttl: StorageAreaTtl) -> HttpResponse {
    if let Some(warning) = ttl.warning {
        add_warning(&mut response, &warning);
    }
    response
}
