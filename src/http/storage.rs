//! The strings of a service, and whatever takes any key.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, Header},
    },
    web,
};

use super::{Api, ApiError, body, path, reply};

/// `GET .../{id}/storage`
pub(super) async fn read_all(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let texts = api.services.read_all(&id).await?;
    reply::members(texts.into_iter())
}

/// `GET .../{id}/storage/{key}`
pub(super) async fn read(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::key(&request)?);
    let value = api.services.read(&id, &key).await?;
    if wants_text(&request) {
        return Ok(reply::text(StatusCode::OK, value));
    }
    reply::members([(key, value)].into_iter())
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

/// Whether the client would rather have the bare value than JSON. Of equals it takes what is named
/// first; a client that takes anything gets JSON.
fn wants_text(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/plain")) {
        return false;
    }
    let ranked = header::Accept::parse(request).map(|accept| accept.ranked());
    let mut ranked = ranked.unwrap_or_default().into_iter();
    let first = ranked.find(|kind| matches!(kind.essence_str(), "text/plain" | "application/json"));
    first.is_some_and(|kind| kind.essence_str() == "text/plain")
}
