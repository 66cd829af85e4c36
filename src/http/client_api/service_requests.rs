//! Service-specific requests.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::{ApiError, AppState, body, path, propagation, response};

/// `POST` and `GET /genesys/1/service/{id}/{request}`
pub(in crate::http) async fn send_request(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    state.services.memory().responses.check()?;
    let id = path::service_id(&request)?;
    let mut uploads = state.services.uploads(&id);
    let prepared = state
        .services
        .prepare_request(id, path::service_request(&request)?)
        .await?;
    let form_data = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    let headers = propagation::propagated_headers(&request);
    let response = state
        .services
        .send_request(prepared, form_data, uploads, headers)
        .await?;
    Ok(response.map_or_else(response::empty, response::json))
}
