//! Services: expiration and delete.

use actix_web::{HttpRequest, HttpResponse, web};

pub(in crate::http) use self::responses::DescribeServiceResponse;
pub(in crate::http) use self::responses::{BinaryResponse, binary_responses};
use crate::http::{
    ApiError, AppState, body,
    openapi::{
        errors::{BodyErrors, ClientErrors, ServiceNotFound, StoreFull},
        fields::{self, ExpirationFields},
        parameters::{ExistingServicePath, ServiceIdPath},
    },
    path, response,
};

mod responses;

const EXPIRATION_DESCRIPTION: &str = "\
    The service, its storage and its bookings expire together at the new time. Requires `ttl` or `expiration_time`, in \
    the body or in the query string; `ttl` takes precedence.";
/// `PUT /genesys/1/cs/services/{id}`
#[utoipa::path(
    put,
    path = "/genesys/1/cs/services/{id}",
    operation_id = "setConversationExpiration",
    tag = "services",
    summary = "Set the expiration of a service",
    description = EXPIRATION_DESCRIPTION,
    params(ServiceIdPath, ExpirationFields),
    request_body(content = inline(ExpirationFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The expiration time is set"),
        ClientErrors, BodyErrors, ServiceNotFound, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn set_conversation_end(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    set_end(state, request, payload).await
}

/// `PUT /genesys/1/service/{id}`
#[utoipa::path(
    put,
    path = "/genesys/1/service/{service}",
    operation_id = "setExpiration",
    tag = "services",
    summary = "Set the expiration of a service",
    description = EXPIRATION_DESCRIPTION,
    params(ExistingServicePath, ExpirationFields),
    request_body(content = inline(ExpirationFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The expiration time is set"),
        ClientErrors, BodyErrors, ServiceNotFound, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn set_end(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let mut uploads = state.services.uploads(&id);
    let form_data = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    state.services.set_end(&id, &form_data).await?;
    Ok(response::empty())
}

/// `DELETE /genesys/1/service/{id}`
#[utoipa::path(
    delete,
    path = "/genesys/1/service/{service}",
    operation_id = "deleteService",
    tag = "services",
    summary = "Delete a service",
    description = "All replicas return 404 for the id at once. The resources of the service, such as access numbers \
                   and binaries, are released shortly after.",
    params(ExistingServicePath),
    responses(
        (
            status = 200,
            description = "The service is deleted",
            body = inline(response::OkText),
            content_type = "text/plain",
        ),
        ClientErrors, ServiceNotFound, StoreFull,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn delete(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    state.services.delete(&id).await?;
    Ok(response::ok())
}
