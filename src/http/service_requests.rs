//! Requests to a service.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{ApiError, AppState, body, path, propagation, response};

/// `POST` and `GET /genesys/1/service/{id}/{request}`
pub(super) async fn send_request(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    api.services.memory().responses.check()?;
    let id = path::service_id(&request)?;
    let mut uploads = api.services.uploads(&id);
    let asked = api
        .services
        .prepare_request(id, path::service_request(&request)?);
    let asked = asked.await?;
    let pairs = body::read_form_data(&api, &request, payload, &mut uploads).await?;
    let trail = propagation::propagated_headers(&request);
    let answer = api
        .services
        .send_request(asked, pairs, uploads, trail)
        .await?;
    Ok(answer.map_or_else(response::empty, response::json))
}
