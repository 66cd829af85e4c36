//! The storage of a service: strings, and operations on keys of any kind.

use actix_web::{HttpRequest, HttpResponse, web};

use self::{
    conditions::{
        DeleteConditionHeader, StorageVersionHeader, WriteConditionHeaders, check_version,
        delete_condition, known_revisions, write_condition,
    },
    responses::{AllStringsResponses, StringResponses},
    watch::{LastRevisionHeader, accepts_events, watch_response},
};
use crate::{
    http::{
        ApiError, AppState, accept, body, etag, fetch_metadata,
        openapi::{
            errors::{
                BodyErrors, ClientErrors, Forbidden, KeyNotFound, PreconditionFailed,
                ServiceNotFound, StoreFull, TooLarge,
            },
            fields::{self, DataFields, OtherFieldsQuery},
            parameters::{IfNoneMatchHeader, KeyPath, ServiceIdPath},
        },
        path, response,
    },
    service::ConditionalRead,
};

pub(super) mod conditions;
pub(in crate::http) mod responses;
pub(super) mod watch;

pub(super) const DESCRIPTION: &str = "\
    Binaries are not included; the description of the service lists them. With `Accept: text/event-stream` the response is \
    a stream of server-sent events, whose ids are revisions of the storage: `snapshot` has all keys; `change` has those \
    that differ from the previous event, `null` if they were deleted; `end` follows the end of the service. A binary is \
    `{\"_binary\":{...}}` with its descriptor. States can be skipped, but the last one always follows.";

/// `GET .../{id}/storage`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/storage",
    operation_id = "readStorage",
    tag = "storage",
    summary = "Read all strings",
    description = DESCRIPTION,
    params(ServiceIdPath, StorageVersionHeader, IfNoneMatchHeader, LastRevisionHeader),
    responses(AllStringsResponses, ClientErrors, Forbidden, ServiceNotFound, PreconditionFailed, TooLarge),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read_all(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    fetch_metadata::check_destination(&request)?;
    if accepts_events(&request) {
        let watch = |known| state.services.watch_storage(&id, known);
        return watch_response(&state, &request, watch).await;
    }
    let known = known_revisions(&request);
    let read = state.services.read_all_unless(&id, &known);
    strings_response(&request, read.await?)
}

/// The response with all strings; 304 if `If-None-Match` has their revision.
///
/// # Errors
/// [`ApiError::StorageChanged`] if `If-Match` does not have it.
pub(super) fn strings_response(
    request: &HttpRequest,
    read: ConditionalRead,
) -> Result<HttpResponse, ApiError> {
    check_version(request, read.revision())?;
    response::json_strings(read).map(response::depending_on_accept)
}

/// `GET .../{id}/storage/{key}`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/storage/{key}",
    operation_id = "readKey",
    tag = "storage",
    summary = "Read a string",
    description = "If the value of the key is a binary, the message of the 404 has the path of the binary.",
    params(ServiceIdPath, KeyPath),
    responses(StringResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    fetch_metadata::check_destination(&request)?;
    string_response(&request, &key, state.services.read(&id, &key).await?)
}

/// The response with a string: JSON, or plain text if the client prefers it.
///
/// # Errors
/// [`ApiError::Overloaded`]
pub(super) fn string_response(
    request: &HttpRequest,
    key: &str,
    value: String,
) -> Result<HttpResponse, ApiError> {
    let media_type = accept::preferred_type(request.headers(), &["application/json", "text/plain"]);
    let response = if media_type == "text/plain" {
        response::text_value(value)
    } else {
        response::json_member(key, &value)
    };
    response.map(response::depending_on_accept)
}

/// `POST .../{id}/storage`
#[utoipa::path(
    post,
    path = "/genesys/1/service/{id}/storage",
    operation_id = "writeStorage",
    tag = "storage",
    summary = "Write to the storage",
    description = "Merges the fields into the storage, all or none. A key has one value: a string replaces a binary \
                   of the same name, and vice versa. The expiration time of the service does not change.",
    params(ServiceIdPath, WriteConditionHeaders, OtherFieldsQuery),
    request_body(content = inline(DataFields), content_type = fields::CONTENT_TYPES_WITH_FILES),
    responses(
        (status = 200, description = "All fields are stored", headers(("ETag" = String, description = "The revision of the storage"))),
        ClientErrors, BodyErrors, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn write(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (id, condition) = (path::service_id(&request)?, write_condition(&request)?);
    let mut uploads = state.services.uploads(&id);
    let form_data = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    let written = state.services.write(&id, form_data, uploads, condition);
    Ok(etag::with_revision(response::empty(), written.await?))
}

/// `DELETE .../{id}/storage/{key}`
#[utoipa::path(
    delete,
    path = "/genesys/1/service/{id}/storage/{key}",
    operation_id = "deleteKey",
    tag = "storage",
    summary = "Delete a string or a binary",
    description = "Succeeds even if there is no such key.",
    params(ServiceIdPath, KeyPath, DeleteConditionHeader),
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
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    let condition = delete_condition(&request)?;
    let revision = state.services.delete_key(&id, key, condition).await?;
    Ok(etag::with_revision(response::ok(), revision))
}

/// `DELETE .../{id}/storage`
#[utoipa::path(
    delete,
    path = "/genesys/1/service/{id}/storage",
    operation_id = "clearStorage",
    tag = "storage",
    summary = "Clear the storage",
    description = "The service remains active.",
    params(ServiceIdPath, DeleteConditionHeader),
    responses(
        (status = 200, description = "The storage is empty", body = inline(response::OkText), content_type = "text/plain", headers(("ETag" = String, description = "The revision of the storage"))),
        ClientErrors, ServiceNotFound, PreconditionFailed, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn clear(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, condition) = (path::service_id(&request)?, delete_condition(&request)?);
    let revision = state.services.clear(&id, &condition).await?;
    Ok(etag::with_revision(response::ok(), revision))
}
