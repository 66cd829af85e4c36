//! Requests to a service.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Api, ApiError, body, path, reply, trail};

/// `POST` and `GET /genesys/1/service/{id}/{request}`
pub(super) async fn ask(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    api.services.memory().responses.check()?;
    let id = path::service_id(&request)?;
    let mut uploads = api.services.uploads(&id);
    let asked = api.services.ask(id, path::service_request(&request)?);
    let asked = asked.await?;
    let pairs = body::read(&api, &request, payload, &mut uploads).await?;
    let trail = trail::of(&request);
    let answer = api.services.answer(asked, pairs, uploads, trail).await?;
    Ok(answer.map_or_else(reply::empty, reply::json))
}
