//! Requests to a service.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Api, ApiError, body, path, reply};

/// `POST` and `GET /genesys/1/service/{id}/{request}`
pub(super) async fn ask(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (id, name) = (
        path::service_id(&request)?,
        path::service_request(&request)?,
    );
    api.services.check_request(&id, &name).await?;
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read(&api, &request, payload, &mut uploads).await?;
    api.services.write(&id, pairs, uploads).await?;
    Ok(reply::empty())
}
