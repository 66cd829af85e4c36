//! Creating a service, and the service itself.

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

use super::{
    ApiError, AppState, auth::basic::basic_credentials, body, fetch_metadata,
    idempotency::idempotency_head, middleware::real_ip::client_address, path, propagation,
    response,
};
use crate::{
    service::{CreateRequestHead, CreateResponse},
    store::{Description, ServiceId, Timestamp},
};

/// Says that an answer is that of an earlier request.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Warnings in one answer.
const MAX_WARNINGS: usize = 10;

/// `POST /genesys/1/service/{service}`
pub(super) async fn create(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_cross_site_create(&api, &request)?;
    api.services.memory().responses.check()?;
    let name = path::service_name(&request)?;
    let head = create_request_head(&api, &request);
    let mut creation = api.services.prepare_create(&name, head).await?;
    let pairs = body::read_form_data(&api, &request, payload, &mut creation.uploads).await?;
    let answer = creation.finish(pairs).await?;
    Ok(create_response(answer))
}

/// `GET` and `HEAD /genesys/1/service/{service}`: a create, by GET only, where `{service}` is the name of a configured
/// service, as some deployed clients send it; else it is an id, and the service is told.
pub(super) async fn create_or_describe(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if api.services.is_configured(&path::service_name(&request)?) {
        if *request.method() == Method::HEAD {
            let allow = "GET, POST".to_owned();
            let method = Method::HEAD.to_string();
            return Err(ApiError::MethodNotAllowed { method, allow });
        }
        return create(api, request, payload).await;
    }
    let id = path::service_id(&request)?;
    let description = api.services.describe(&id).await?;
    let told = DescribeServiceResponse::new(&id, &description, api.services.now()?);
    response::json_from(&told)
}

/// `PUT /genesys/1/service/{id}` and `PUT /genesys/1/cs/services/{id}`
pub(super) async fn set_end(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read_form_data(&api, &request, payload, &mut uploads).await?;
    api.services.set_end(&id, &pairs).await?;
    Ok(response::empty())
}

/// `DELETE /genesys/1/service/{id}`
pub(super) async fn delete(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = path::service_id(&request)?;
    api.services.delete(&id).await?;
    Ok(response::ok())
}

fn create_request_head(api: &AppState, request: &HttpRequest) -> CreateRequestHead {
    CreateRequestHead {
        propagated_headers: propagation::propagated_headers(request),
        idempotency: idempotency_head(request),
        address: client_address(request, &api.trusted_proxies),
        credentials: basic_credentials(request),
    }
}

/// 200 with the answer to a create. Parameters that did not count are named in `Warning` headers (RFC 9111 has
/// them obsolete for caches; for people the code 299 says what is meant).
fn create_response(answer: CreateResponse) -> HttpResponse {
    let mut response = response::json(answer.json);
    let headers = response.headers_mut();
    if answer.is_replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    for name in answer.overridden.iter().take(MAX_WARNINGS) {
        let text = format!(
            "299 - \"parameter {name} does not count: option {name} of the configured service wins\""
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

/// A service as it is told.
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
pub(super) struct BinaryResponse<'a> {
    name: &'a str,
    content_type: &'a str,
    file_name: Option<&'a str>,
    size: u64,
}

/// The JSON Schema of a binary of a service as it is told.
pub(super) fn binary_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The key"},
            "content_type": {"type": "string"},
            "file_name": {"type": ["string", "null"]},
            "size": {"type": "integer", "minimum": 0, "description": "Bytes"},
        },
        "required": ["name", "content_type", "file_name", "size"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of a service as it is told.
pub(super) fn service_schema() -> Value {
    json!({
        "description": "A service, without the values of its storage",
        "type": "object",
        "properties": {
            "_id": {"type": "string"},
            "_service": {
                "type": "string",
                "description": "Name of the configured service that it was made from",
            },
            "_created": {"type": "string", "format": "date-time"},
            "_expiration_time": {
                "type": "string",
                "format": "date-time",
                "description": "When it ends, with all that belongs to it",
            },
            "_ttl": {"type": "integer", "minimum": 0, "description": "Seconds until then"},
            "_keys": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The keys that hold strings",
            },
            "_binaries": {
                "type": "array",
                "items": binary_schema(),
                "description": "The keys that hold binaries",
            },
        },
        "required": [
            "_id", "_service", "_created", "_expiration_time", "_ttl", "_keys", "_binaries",
        ],
        "additionalProperties": false,
    })
}

/// The binaries of a service.
pub(super) fn binary_responses(description: &Description) -> Vec<BinaryResponse<'_>> {
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
