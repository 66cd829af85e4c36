//! The strings of a service, and whatever takes any key.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Api, ApiError, accept, body, fetch_metadata, path, reply};

/// `GET .../{id}/storage`
pub(super) async fn read_all(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    fetch_metadata::check_destination(&request)?;
    reply::texts(api.services.read_all(&id).await?)
}

/// `GET .../{id}/storage/{key}`
pub(super) async fn read(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    fetch_metadata::check_destination(&request)?;
    let value = api.services.read(&id, &key).await?;
    let kind = accept::preferred(request.headers(), &["application/json", "text/plain"]);
    if kind == "text/plain" {
        return reply::value(value);
    }
    reply::member(&key, &value)
}

/// `POST .../{id}/storage`
pub(super) async fn write(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read(&api, &request, payload, &mut uploads).await?;
    api.services.write(&id, pairs, uploads).await?;
    Ok(reply::empty())
}

/// `DELETE .../{id}/storage/{key}`
pub(super) async fn delete_key(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    api.services.delete_key(&id, key).await?;
    Ok(reply::ok())
}

/// `DELETE .../{id}/storage`
pub(super) async fn clear(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    api.services.clear(&id).await?;
    Ok(reply::ok())
}
