//! Creates of services, and descriptions of services, which share a route.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{HeaderName, HeaderValue, WARNING},
    },
    web,
};

use self::responses::{CreateOrDescribeResponses, CreateResponses};
use super::services::DescribeServiceResponse;
use crate::{
    http::{
        ApiError, AppState,
        auth::basic::basic_credentials,
        body, fetch_metadata,
        idempotency::idempotency_head,
        middleware::real_ip::client_address,
        openapi::{
            errors::{BodyErrors, ClientErrors, CreateErrors},
            fields::{self, CreateFields, OtherFieldsQuery},
            parameters::{EXAMPLE_ID, IdempotencyHeader, ServicePath, UserHeader},
        },
        path, propagation, response,
    },
    service::{CreateRequestHead, CreateResponse},
};

pub(in crate::http) mod responses;

const CREATE_DESCRIPTION: &str = "\
    The configured service in the path determines the effect and the response of a create. Unknown parameters are \
    ignored. An option of the configured service takes precedence over the parameter of that name, unless \
    `_overwritable_options` lists it. User data and files are stored before the response is sent.";

/// Marks a response as the replay of an earlier one.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The maximum number of warnings in a response.
const MAX_WARNINGS: usize = 10;

/// `POST /genesys/1/service/{service}`
#[utoipa::path(
    post,
    path = "/genesys/1/service/{service}",
    operation_id = "createService",
    tag = "services",
    summary = "Create a service",
    description = CREATE_DESCRIPTION,
    params(ServicePath, IdempotencyHeader, UserHeader, OtherFieldsQuery),
    request_body(
        content = inline(CreateFields),
        content_type = fields::CONTENT_TYPES_WITH_FILES,
        examples(
            ("store" = (
                summary = "store: storage with a time to live",
                value = json!({"_ttl": 3600, "language": "french", "address": {"city": "mycity"}}),
            )),
            ("request-interaction" = (
                summary = "request-interaction: a number to dial",
                value = json!({"_phone_number": "+1 650 469 9999", "_provide_code": "true", "reason": "billing"}),
            )),
            ("request-access" = (
                summary = "request-access: a number for an existing service",
                value = json!({"_id": EXAMPLE_ID, "_provide_code": "true"}),
            )),
            ("match-interaction" = (
                summary = "match-interaction: find the service of a call",
                value = json!({
                    "_access_number": "8003449999", "_phone_number": "+1 650 469 9999", "_return_user_data": "true",
                }),
            )),
        ),
    ),
    responses(CreateResponses, ClientErrors, BodyErrors, CreateErrors),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn create(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_cross_site_create(&state, &request)?;
    state.services.memory().responses.check()?;
    let name = path::service_name(&request)?;
    let head = create_request_head(&state, &request);
    let mut pending = state.services.prepare_create(&name, head).await?;
    let form_data = body::read_form_data(&state, &request, payload, &mut pending.uploads).await?;
    Ok(create_response(pending.finish(form_data).await?))
}

/// `GET` and `HEAD /genesys/1/service/{service}`: if `{service}` is the name of a configured service, GET creates a
/// service, as some deployed clients do; otherwise `{service}` is an id, and the response describes the service.
#[utoipa::path(
    get,
    path = "/genesys/1/service/{service}",
    operation_id = "getService",
    tag = "services",
    summary = "Describe or create a service",
    description = "If the path has the name of a configured service, this is a create with the parameters and user \
                   data of the query string. Otherwise the path has the id of a service, and the response describes \
                   it without the values of its storage.",
    params(ServicePath, IdempotencyHeader, UserHeader, CreateFields, OtherFieldsQuery),
    responses(CreateOrDescribeResponses, ClientErrors, BodyErrors, CreateErrors),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn create_or_describe(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if state.services.is_configured(&path::service_name(&request)?) {
        if *request.method() == Method::HEAD {
            let allow = "GET, POST".to_owned();
            let method = Method::HEAD.to_string();
            return Err(ApiError::MethodNotAllowed { method, allow });
        }
        return create(state, request, payload).await;
    }
    let id = path::service_id(&request)?;
    let description = state.services.describe(&id).await?;
    let service = DescribeServiceResponse::new(&id, &description, state.services.now()?);
    response::json_from(&service)
}

/// `GET /genesys/1/service/{service}` on a listener that only matches calls
#[utoipa::path(
    get,
    path = "/genesys/1/service/{service}",
    operation_id = "createByQuery",
    tag = "services",
    summary = "Create a service by query string",
    description = CREATE_DESCRIPTION,
    params(ServicePath, IdempotencyHeader, UserHeader, CreateFields, OtherFieldsQuery),
    responses(CreateResponses, ClientErrors, BodyErrors, CreateErrors),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn create_by_query(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    create(state, request, payload).await
}

pub(super) fn create_request_head(state: &AppState, request: &HttpRequest) -> CreateRequestHead {
    CreateRequestHead {
        propagated_headers: propagation::propagated_headers(request),
        idempotency: idempotency_head(request),
        address: client_address(request, &state.trusted_proxies),
        credentials: basic_credentials(request),
    }
}

/// 200 with the result of a create. The warnings name the parameters that were overridden.
pub(super) fn create_response(created: CreateResponse) -> HttpResponse {
    let mut response = response::json(created.json);
    if created.is_replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    for name in created.overridden.iter().take(MAX_WARNINGS) {
        let text = format!(
            "parameter {name} is ignored: option {name} of the configured service takes precedence"
        );
        add_warning(&mut response, &text);
    }
    response
}

/// Adds a `Warning` header with the code 299 (RFC 9111 makes the header obsolete for caches only). A text that is
/// not visible ASCII is replaced.
pub(super) fn add_warning(response: &mut HttpResponse, text: &str) {
    let is_allowed = |character: char| character == ' ' || character.is_ascii_graphic();
    let text = text
        .replace(['"', '\\'], "'")
        .replace(|character| !is_allowed(character), "?");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
        response.headers_mut().append(WARNING, value);
    }
}
