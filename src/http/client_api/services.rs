//! Services: create, describe, expiration and delete.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{HeaderName, HeaderValue, WARNING},
    },
    web,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    http::{
        ApiError, AppState, auth::basic::basic_credentials, body, fetch_metadata,
        idempotency::idempotency_head, middleware::real_ip::client_address, path, propagation,
        response,
    },
    model::{Description, ServiceId, Timestamp},
    service::{CreateRequestHead, CreateResponse},
};

/// Marks a response as the replay of an earlier one.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The maximum number of warnings in a response.
const MAX_WARNINGS: usize = 10;

/// `POST /genesys/1/service/{service}`
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

/// `PUT /genesys/1/service/{id}` and `PUT /genesys/1/cs/services/{id}`
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
pub(in crate::http) async fn delete(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    state.services.delete(&id).await?;
    Ok(response::ok())
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

/// The response that describes a service.
#[derive(Serialize)]
struct DescribeServiceResponse<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    #[serde(rename = "_service")]
    definition: &'a str,
    #[serde(rename = "_created")]
    created: String,
    #[serde(rename = "_expiration_time")]
    end: String,
    #[serde(rename = "_ttl")]
    ttl: u64,
    #[serde(rename = "_keys")]
    keys: &'a [String],
    #[serde(rename = "_binaries")]
    binaries: Vec<BinaryResponse<'a>>,
}

#[derive(Debug, Serialize)]
pub(in crate::http) struct BinaryResponse<'a> {
    name: &'a str,
    content_type: &'a str,
    file_name: Option<&'a str>,
    size: u64,
}

/// The JSON Schema of [`BinaryResponse`].
pub(in crate::http) fn binary_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Key"},
            "content_type": {"type": "string"},
            "file_name": {"type": ["string", "null"]},
            "size": {"type": "integer", "minimum": 0, "description": "Bytes"},
        },
        "required": ["name", "content_type", "file_name", "size"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of [`DescribeServiceResponse`].
pub(in crate::http) fn service_schema() -> Value {
    json!({
        "description": "A service, without the values of its storage",
        "type": "object",
        "properties": {
            "_id": {"type": "string"},
            "_service": {
                "type": "string",
                "description": "Name of the configured service that it was created from",
            },
            "_created": {"type": "string", "format": "date-time"},
            "_expiration_time": {
                "type": "string",
                "format": "date-time",
                "description": "Expiration time of the service and all its data",
            },
            "_ttl": {"type": "integer", "minimum": 0, "description": "Seconds until the expiration time"},
            "_keys": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Keys of strings",
            },
            "_binaries": {
                "type": "array",
                "items": binary_schema(),
                "description": "Keys of binaries",
            },
        },
        "required": [
            "_id", "_service", "_created", "_expiration_time", "_ttl", "_keys", "_binaries",
        ],
        "additionalProperties": false,
    })
}

/// The binaries of a service.
pub(in crate::http) fn binary_responses(description: &Description) -> Vec<BinaryResponse<'_>> {
    let binaries = description.binaries.iter();
    let responses = binaries.map(|(name, binary)| BinaryResponse {
        name,
        content_type: &binary.content_type,
        file_name: binary.file_name.as_deref(),
        size: binary.size,
    });
    responses.collect()
}

impl<'a> DescribeServiceResponse<'a> {
    fn new(id: &'a ServiceId, description: &'a Description, now: Timestamp) -> Self {
        Self {
            id: id.as_str(),
            definition: &description.definition,
            created: description.created.to_string(),
            end: description.end.to_string(),
            ttl: description.end.since(now).as_secs(),
            keys: &description.keys,
            binaries: binary_responses(description),
        }
    }
}
