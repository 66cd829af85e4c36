//! Service-specific requests.

use actix_web::{HttpRequest, HttpResponse, web};

use super::storage::conditions::{WriteConditionHeaders, write_condition};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                BackendTimeout, BackendUnreachable, BodyErrors, ChatErrors, ClientErrors,
                PreconditionFailed, RequestNotFound, ServiceNotFound, StoreFull,
            },
            fields::{self, DataFields, OtherFieldsQuery},
            parameters::{ServiceIdPath, UserHeader},
        },
        path, propagation,
        public_address::public_address,
        response,
    },
    service::RequestOrigin,
};

const DESCRIPTION: &str = "\
    `update` writes to the storage; only it has conditions. `ixn/chat` starts the chat of a service of `request-chat`; `ixn/chat/refresh`, \
    `/send`, `/startTyping`, `/stopTyping`, `/disconnect` and `/transcript` follow; docs/chat.md describes them. Other \
    requests are forwarded to the backend of the service with all fields; files are written to the storage, and their \
    fields have the path of the binary.";

/// The request in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct RequestPath {
    /// The name of a request. It may have several segments (`ixn/chat/send`). Every service has `update`; services
    /// with a backend have others.
    #[param(min_length = 1, example = "update")]
    #[expect(dead_code, reason = "only described")]
    request: String,
}

/// `GET /genesys/1/service/{id}/{request}`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/{request}",
    operation_id = "sendRequestByQuery",
    tag = "requests",
    summary = "Send a service-specific request",
    description = DESCRIPTION,
    params(ServiceIdPath, RequestPath, WriteConditionHeaders, OtherFieldsQuery, UserHeader),
    responses(
        (
            status = 200,
            description = "For `update`: empty. For requests to a chat: the chat object. For other requests: the JSON \
                response of the backend, unchanged",
        ),
        ClientErrors, BodyErrors, ServiceNotFound, RequestNotFound, PreconditionFailed, StoreFull, BackendUnreachable,
        BackendTimeout, ChatErrors,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn send_request_by_query(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    send_request(state, request, payload).await
}

/// `POST /genesys/1/service/{id}/{request}`
#[utoipa::path(
    post,
    path = "/genesys/1/service/{id}/{request}",
    operation_id = "sendRequest",
    tag = "requests",
    summary = "Send a service-specific request",
    description = DESCRIPTION,
    params(ServiceIdPath, RequestPath, WriteConditionHeaders, OtherFieldsQuery, UserHeader),
    request_body(content = inline(DataFields), content_type = fields::CONTENT_TYPES_WITH_FILES),
    responses(
        (
            status = 200,
            description = "For `update`: empty. For requests to a chat: the chat object. For other requests: the JSON \
                response of the backend, unchanged",
        ),
        ClientErrors, BodyErrors, ServiceNotFound, RequestNotFound, PreconditionFailed, StoreFull, BackendUnreachable,
        BackendTimeout, ChatErrors,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn send_request(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    state.services.memory().responses.check()?;
    let services = &state.services;
    let (id, name) = (
        path::service_id(&request)?,
        path::service_request(&request)?,
    );
    let mut uploads = services.uploads(&id);
    let mut prepared = services.prepare_request(id, name).await?;
    if let Some(condition) = prepared.condition() {
        *condition = write_condition(&request)?;
    }
    let form_data = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    let origin = request_origin(&state, &request);
    let response = services.send_request(prepared, form_data, uploads, origin);
    Ok(response.await?.map_or_else(response::empty, response::json))
}

/// The data of the request that backends and chats receive.
fn request_origin(state: &AppState, request: &HttpRequest) -> RequestOrigin {
    RequestOrigin {
        propagated_headers: propagation::propagated_headers(request),
        address: public_address(request, &state.trusted_proxies),
    }
}
