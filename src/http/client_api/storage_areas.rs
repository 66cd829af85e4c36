//! The Storage API: storage areas, and the storage of services under the ids of the services.

use actix_web::{HttpRequest, HttpResponse, web};

use self::parameters::{BinaryPath, IdAndKeyPath, IdPath};
use super::{
    binaries::{
        self, BinaryVersionHeader, binary_response,
        range::RangeHeaders,
        responses::{BinaryHeadResponses, BinaryResponses},
    },
    storage::{
        self,
        conditions::{
            DeleteConditionHeader, StorageVersionHeader, delete_condition, known_revisions,
        },
        responses::{AllStringsResponses, StringResponses},
        string_response, strings_response,
        watch::{LastRevisionHeader, accepts_events, watch_response},
    },
};
use crate::{
    http::{
        ApiError, AppState,
        auth::basic::basic_credentials,
        etag, fetch_metadata,
        middleware::real_ip::client_address,
        openapi::{
            errors::{
                ClientErrors, Forbidden, KeyNotFound, PreconditionFailed, RangeNotSatisfiable,
                ServiceNotFound, StoreFull, TooLarge,
            },
            parameters::{IfNoneMatchHeader, StorageUserHeader},
        },
        path, propagation, response,
    },
    service::StorageAddress,
};

mod parameters;
pub(in crate::http) mod writes;

/// `GET /genesys/1/storage/{id}`
#[utoipa::path(
    get,
    path = "/genesys/1/storage/{idOrTtl}",
    operation_id = "readStorageArea",
    tag = "storage areas",
    summary = "Read all strings",
    description = storage::DESCRIPTION,
    params(IdPath, StorageVersionHeader, IfNoneMatchHeader, LastRevisionHeader, StorageUserHeader),
    responses(AllStringsResponses, ClientErrors, Forbidden, ServiceNotFound, PreconditionFailed, TooLarge),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read_all(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(&request)?;
    let storage = authorized_storage(&state, &request, path::storage_id(&request)?).await?;
    if accepts_events(&request) {
        let watch = |known| state.services.watch_storage_at(&storage, known);
        return watch_response(&state, &request, watch).await;
    }
    let known = known_revisions(&request);
    let read = state.services.read_storage(&storage, &known);
    strings_response(&request, read.await?)
}

/// `GET /genesys/1/storage/{id}/{key}`
#[utoipa::path(
    get,
    path = "/genesys/1/storage/{idOrTtl}/{keyOrTtl}",
    operation_id = "readStorageAreaKey",
    tag = "storage areas",
    summary = "Read a string",
    description = "If the value of the key is a binary, the message of the 404 has the path of the binary.",
    params(IdAndKeyPath, StorageUserHeader),
    responses(StringResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(&request)?;
    let (id, key) = (path::storage_id(&request)?, path::storage_key(&request)?);
    let storage = authorized_storage(&state, &request, id).await?;
    string_response(
        &request,
        &key,
        state.services.read_storage_key(&storage, &key).await?,
    )
}

/// `HEAD /genesys/1/storage/binary/{id}/{key}`
#[utoipa::path(
    head,
    path = "/genesys/1/storage/binary/{id}/{key}",
    operation_id = "headStorageAreaBinary",
    tag = "storage areas",
    summary = "Read the headers of a binary",
    description = binaries::DESCRIPTION,
    params(BinaryPath, BinaryVersionHeader, IfNoneMatchHeader, StorageUserHeader),
    responses(BinaryHeadResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound, PreconditionFailed),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn head_binary(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    read_binary(state, request).await
}

/// `GET /genesys/1/storage/binary/{id}/{key}`
#[utoipa::path(
    get,
    path = "/genesys/1/storage/binary/{id}/{key}",
    operation_id = "readStorageAreaBinary",
    tag = "storage areas",
    summary = "Read a binary",
    description = binaries::DESCRIPTION,
    params(BinaryPath, BinaryVersionHeader, IfNoneMatchHeader, RangeHeaders, StorageUserHeader),
    responses(BinaryResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound, PreconditionFailed, RangeNotSatisfiable),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read_binary(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(&request)?;
    let [id, key] = path::storage_id_and_last(&request)?;
    let storage = authorized_storage(&state, &request, id).await?;
    let download = state.services.find_storage_binary(&storage, &key).await?;
    binary_response(&state, &request, download, &key)
}

/// `DELETE /genesys/1/storage/{id}/{key}`
#[utoipa::path(
    delete,
    path = "/genesys/1/storage/{idOrTtl}/{keyOrTtl}",
    operation_id = "deleteStorageAreaKey",
    tag = "storage areas",
    summary = "Delete a string or a binary",
    description = "Succeeds even if there is no such key.",
    params(IdAndKeyPath, DeleteConditionHeader, StorageUserHeader),
    responses(
        (status = 200, description = "The key no longer exists", body = inline(response::OkText), content_type = "text/plain", headers(("ETag" = String, description = "The revision of the storage"))),
        ClientErrors, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn delete_key(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::storage_id(&request)?, path::storage_key(&request)?);
    let condition = delete_condition(&request)?;
    let storage = authorized_storage(&state, &request, id).await?;
    let deleted = state
        .services
        .delete_storage_key(&storage, &key, &condition);
    Ok(etag::with_revision(response::ok(), deleted.await?))
}

/// `DELETE /genesys/1/storage/{id}`
#[utoipa::path(
    delete,
    path = "/genesys/1/storage/{idOrTtl}",
    operation_id = "deleteStorageArea",
    tag = "storage areas",
    summary = "Delete a storage area",
    description = "Under the id of a service, all keys of its storage are deleted; the service remains active.",
    params(IdPath, DeleteConditionHeader, StorageUserHeader),
    responses(
        (status = 200, description = "The storage area is deleted", body = inline(response::OkText), content_type = "text/plain"),
        ClientErrors, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn delete(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let condition = delete_condition(&request)?;
    let storage = authorized_storage(&state, &request, path::storage_id(&request)?).await?;
    let deleted = state.services.delete_storage(&storage, &condition);
    let revision = deleted.await?;
    let response = response::ok();
    Ok(match revision {
        Some(revision) => etag::with_revision(response, revision),
        None => response,
    })
}

/// The storage that the client means by `id`, if it has access to it.
async fn authorized_storage(
    state: &AppState,
    request: &HttpRequest,
    id: String,
) -> Result<StorageAddress, ApiError> {
    let user = propagation::user(request)?;
    authorize(state, request, state.services.storage(id, user)?).await
}

/// Authenticates the client, if clients must authenticate.
async fn authorize(
    state: &AppState,
    request: &HttpRequest,
    storage: StorageAddress,
) -> Result<StorageAddress, ApiError> {
    if !state.services.requires_auth() {
        return Ok(storage);
    }
    let client = client_address(request, &state.trusted_proxies);
    let credentials = basic_credentials(request);
    Ok(state
        .services
        .authorize_storage(storage, &credentials, client)
        .await?)
}
