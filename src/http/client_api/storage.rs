//! The storage of a service: strings, and operations on keys of any kind.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::{ApiError, AppState, accept, body, fetch_metadata, path, response};

/// `GET .../{id}/storage`
pub(in crate::http) async fn read_all(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    fetch_metadata::check_destination(&request)?;
    response::json_strings(state.services.read_all(&id).await?)
}

/// `GET .../{id}/storage/{key}`
pub(in crate::http) async fn read(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    fetch_metadata::check_destination(&request)?;
    let value = state.services.read(&id, &key).await?;
    let media_type = accept::preferred_type(request.headers(), &["application/json", "text/plain"]);
    if media_type == "text/plain" {
        return response::text_value(value);
    }
    response::json_member(&key, &value)
}

/// `POST .../{id}/storage`
pub(in crate::http) async fn write(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let mut uploads = state.services.uploads(&id);
    let form_data = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    state.services.write(&id, form_data, uploads).await?;
    Ok(response::empty())
}

/// `DELETE .../{id}/storage/{key}`
pub(in crate::http) async fn delete_key(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    state.services.delete_key(&id, key).await?;
    Ok(response::ok())
}

/// `DELETE .../{id}/storage`
pub(in crate::http) async fn clear(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    state.services.clear(&id).await?;
    Ok(response::ok())
}
