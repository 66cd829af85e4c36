//! The strings of a service, and whatever takes any key.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{ApiError, AppState, accept, body, fetch_metadata, path, response};

/// `GET .../{id}/storage`
pub(super) async fn read_all(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    fetch_metadata::check_destination(&request)?;
    response::json_strings(api.services.read_all(&id).await?)
}

/// `GET .../{id}/storage/{key}`
pub(super) async fn read(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    fetch_metadata::check_destination(&request)?;
    let value = api.services.read(&id, &key).await?;
    let kind = accept::preferred_type(request.headers(), &["application/json", "text/plain"]);
    if kind == "text/plain" {
        return response::text_value(value);
    }
    response::json_member(&key, &value)
}

/// `POST .../{id}/storage`
pub(super) async fn write(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read_form_data(&api, &request, payload, &mut uploads).await?;
    api.services.write(&id, pairs, uploads).await?;
    Ok(response::empty())
}

/// `DELETE .../{id}/storage/{key}`
pub(super) async fn delete_key(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    api.services.delete_key(&id, key).await?;
    Ok(response::ok())
}

/// `DELETE .../{id}/storage`
pub(super) async fn clear(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    api.services.clear(&id).await?;
    Ok(response::ok())
}
