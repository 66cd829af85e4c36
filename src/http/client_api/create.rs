//! Creates of services, and descriptions of services, which share a route.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{HeaderName, HeaderValue, WARNING},
    },
    web,
};

use super::services::{CreatedResponse, DescribeServiceResponse, Replayed, ServiceOrCreated};
use crate::{
    http::{
        ApiError, AppState,
        auth::basic::basic_credentials,
        body, fetch_metadata,
        idempotency::idempotency_head,
        middleware::real_ip::client_address,
        openapi::{
            errors::{BodyErrors, ClientErrors, CreateErrors},
            fields::{
                self, CreateForm, CreateJson, CreateMultipart, CreateQuery, OtherFieldsQuery,
            },
            parameters::{IdempotencyHeader, ServicePath, UserHeader},
        },
        path, propagation, response,
    },
    service::{CreateRequestHead, CreateResponse},
};

const CREATE_DESCRIPTION: &str = "\
    The configured service in the path determines the effect and the response of a create. Unknown parameters are \
    ignored. An option of the configured service takes precedence over the parameter of that name, unless \
    `_overwritable_options` lists it. User data and files are stored before the response is sent.";
/// The link parameter with the id of a created service.
const CREATED_ID: &str = "$response.body#/_id";

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
    request_body(description = fields::body_description(), content(
        (inline(CreateJson) = "application/json", examples(
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
                value = json!({"_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8", "_provide_code": "true"}),
            )),
            ("match-interaction" = (
                summary = "match-interaction: find the service of a call",
                value = json!({
                    "_access_number": "8003449999", "_phone_number": "+1 650 469 9999", "_return_user_data": "true",
                }),
            )),
        )),
        (inline(CreateForm) = "application/x-www-form-urlencoded"),
        (inline(CreateMultipart) = "multipart/form-data"),
    )),
    responses(
        (
            status = 200,
            description = "Result of the create",
            body = CreatedResponse,
            headers(
                (
                    "Idempotent-Replayed" = inline(Option<Replayed>),
                    description = "The response is that of the first request with this Idempotency-Key"
                ),
                (
                    "Warning" = Option<String>,
                    description = "Names a parameter that is ignored because the configured service has an option of \
                                   that name"
                ),
            ),
            links(
                ("get" = (operation_id = "getService", parameters(("service" = CREATED_ID)))),
                ("setExpiration" = (operation_id = "setExpiration", parameters(("service" = CREATED_ID)))),
                ("delete" = (operation_id = "deleteService", parameters(("service" = CREATED_ID)))),
                ("readStorage" = (operation_id = "readStorage", parameters(("id" = CREATED_ID)))),
                ("writeStorage" = (operation_id = "writeStorage", parameters(("id" = CREATED_ID)))),
                ("clearStorage" = (operation_id = "clearStorage", parameters(("id" = CREATED_ID)))),
                ("sendRequest" = (operation_id = "sendRequest", parameters(("id" = CREATED_ID)))),
            ),
        ),
        ClientErrors, BodyErrors, CreateErrors,
    ),
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
    params(ServicePath, IdempotencyHeader, UserHeader, CreateQuery, OtherFieldsQuery),
    responses(
        (
            status = 200,
            description = "Result of the create",
            body = inline(ServiceOrCreated),
            headers(
                (
                    "Idempotent-Replayed" = inline(Option<Replayed>),
                    description = "The response is that of the first request with this Idempotency-Key"
                ),
                (
                    "Warning" = Option<String>,
                    description = "Names a parameter that is ignored because the configured service has an option of \
                                   that name"
                ),
            ),
            links(
                ("get" = (operation_id = "getService", parameters(("service" = CREATED_ID)))),
                ("setExpiration" = (operation_id = "setExpiration", parameters(("service" = CREATED_ID)))),
                ("delete" = (operation_id = "deleteService", parameters(("service" = CREATED_ID)))),
                ("readStorage" = (operation_id = "readStorage", parameters(("id" = CREATED_ID)))),
                ("writeStorage" = (operation_id = "writeStorage", parameters(("id" = CREATED_ID)))),
                ("clearStorage" = (operation_id = "clearStorage", parameters(("id" = CREATED_ID)))),
                ("sendRequest" = (operation_id = "sendRequest", parameters(("id" = CREATED_ID)))),
            ),
        ),
        ClientErrors, BodyErrors, CreateErrors,
    ),
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
    params(ServicePath, IdempotencyHeader, UserHeader, CreateQuery, OtherFieldsQuery),
    responses(
        (
            status = 200,
            description = "Result of the create",
            body = CreatedResponse,
            headers(
                (
                    "Idempotent-Replayed" = inline(Option<Replayed>),
                    description = "The response is that of the first request with this Idempotency-Key"
                ),
                (
                    "Warning" = Option<String>,
                    description = "Names a parameter that is ignored because the configured service has an option of \
                                   that name"
                ),
            ),
        ),
        ClientErrors, BodyErrors, CreateErrors,
    ),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn create_by_query(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    create(state, request, payload).await
}

fn create_request_head(state: &AppState, request: &HttpRequest) -> CreateRequestHead {
    CreateRequestHead {
        propagated_headers: propagation::propagated_headers(request),
        idempotency: idempotency_head(request),
        address: client_address(request, &state.trusted_proxies),
        credentials: basic_credentials(request),
    }
}

/// 200 with the result of a create. `Warning` headers with the code 299 name the parameters that were overridden
/// (RFC 9111 makes the header obsolete for caches only).
fn create_response(created: CreateResponse) -> HttpResponse {
    let mut response = response::json(created.json);
    let headers = response.headers_mut();
    if created.is_replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    for name in created.overridden.iter().take(MAX_WARNINGS) {
        let text = format!(
            "299 - \"parameter {name} is ignored: option {name} of the configured service takes precedence\""
        );
        if name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
            && let Ok(value) = HeaderValue::from_str(&text)
        {
            headers.append(WARNING, value);
        }
    }
    response
}
