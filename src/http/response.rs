//! Responses and their common headers.

use std::cell::OnceCell;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue, VARY},
    },
    web::Bytes,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::ToSchema;

pub(super) use super::response_headers::{with_default_headers, without_body};
use super::{
    ApiError, etag,
    response_body::{BufferedBody, JsonStringsBody},
    response_headers,
};
use crate::{memory_budget::MemoryBudget, model::readiness::Readiness, service::ConditionalRead};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");

thread_local! {
    /// The memory budget of response bodies.
    static MEMORY: OnceCell<MemoryBudget> = const { OnceCell::new() };
}

/// The text `OK`
#[derive(ToSchema)]
pub(super) enum OkText {
    #[expect(dead_code, reason = "only described")]
    OK,
}

/// The maximum size of a body that needs no reservation: it fits into the write buffer of a connection.
const MAX_UNBUDGETED_BYTES: usize = 4 * 1024;

/// Sets the readiness and the memory budget of this worker thread.
pub(super) fn init_worker(readiness: &Readiness, memory: &MemoryBudget) {
    MEMORY.with(|cell| {
        cell.get_or_init(|| memory.clone());
    });
    response_headers::init_worker(readiness);
}

/// 200 with a JSON text. It reports a completed change, so it is sent even if the memory budget is exhausted.
pub(super) fn json(text: impl Into<Bytes>) -> HttpResponse {
    let bytes = text.into();
    let mut response = with_default_headers(StatusCode::OK);
    match MEMORY.with(|cell| cell.get().cloned()) {
        Some(memory) if bytes.len() > MAX_UNBUDGETED_BYTES => {
            let memory = memory.force_reserve(bytes.len());
            response.body(BufferedBody::new(bytes, memory))
        }
        _ => response.body(bytes),
    }
}

/// 200 with `value` as JSON, for requests that change nothing.
///
/// # Errors
/// [`ApiError::Overloaded`] if the memory budget is exhausted.
pub(super) fn json_from(value: &impl Serialize) -> Result<HttpResponse, ApiError> {
    json_with(&mut with_default_headers(StatusCode::OK), value)
}

/// 200 with `value` as JSON, for a change that is made. It is sent even if the memory budget is exhausted.
///
/// # Errors
/// None in practice.
pub(super) fn json_after_change(value: &impl Serialize) -> Result<HttpResponse, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| serialization_error(&error))?;
    Ok(json(text))
}

/// A response with `value` as JSON.
///
/// # Errors
/// See [`json_from`].
pub(super) fn json_with(
    response: &mut HttpResponseBuilder,
    value: &impl Serialize,
) -> Result<HttpResponse, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| serialization_error(&error))?;
    body_within_budget(response, text)
}

/// 200 with a JSON object of one string.
///
/// # Errors
/// See [`json_from`].
pub(super) fn json_member(name: &str, value: &str) -> Result<HttpResponse, ApiError> {
    let mut body = Vec::with_capacity(128);
    let mut json = serde_json::Serializer::new(&mut body);
    let result = json.serialize_map(Some(1)).and_then(|mut map| {
        map.serialize_entry(name, value)?;
        map.end()
    });
    result.map_err(|error| serialization_error(&error))?;
    body_within_budget(&mut with_default_headers(StatusCode::OK), body)
}

/// 200 with a JSON object of strings, in their order, and the `ETag` of the storage; 304 if the client knows it.
///
/// # Errors
/// None in practice.
pub(super) fn json_strings(read: ConditionalRead) -> Result<HttpResponse, ApiError> {
    let strings = match read {
        ConditionalRead::NotModified(revision) => {
            let response = without_body(StatusCode::NOT_MODIFIED).finish();
            return Ok(etag::with_revision(response, revision));
        }
        ConditionalRead::Strings(strings) => strings,
    };
    let revision = strings.revision;
    let body = JsonStringsBody::new(strings).map_err(|error| serialization_error(&error))?;
    let response = with_default_headers(StatusCode::OK).body(body);
    Ok(etag::with_revision(response, revision))
}

/// Adds that the representation depends on `Accept`, for caches.
pub(super) fn depending_on_accept(mut response: HttpResponse) -> HttpResponse {
    let accept = HeaderValue::from_static("Accept");
    response.headers_mut().append(VARY, accept);
    response
}

/// A response with a body whose memory stays reserved until it is sent.
///
/// # Errors
/// [`ApiError::Overloaded`]
pub(super) fn body_within_budget(
    response: &mut HttpResponseBuilder,
    body: impl Into<Bytes>,
) -> Result<HttpResponse, ApiError> {
    let body = body.into();
    match MEMORY.with(|cell| cell.get().cloned()) {
        Some(memory) if body.len() > MAX_UNBUDGETED_BYTES => {
            let memory = memory.reserve(body.len())?;
            Ok(response.body(BufferedBody::new(body, memory)))
        }
        _ => Ok(response.body(body)),
    }
}

/// Serialization into memory cannot fail, so a failure is a bug.
fn serialization_error(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "response serialization failed");
    ApiError::Internal
}

/// Plain text.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    with_default_headers(status)
        .insert_header((CONTENT_TYPE, TEXT))
        .body(text.into())
}

/// 200 with a value as plain text.
///
/// # Errors
/// See [`json_from`].
pub(super) fn text_value(value: String) -> Result<HttpResponse, ApiError> {
    let mut response = with_default_headers(StatusCode::OK);
    body_within_budget(response.insert_header((CONTENT_TYPE, TEXT)), value)
}

/// 200 `OK`.
pub(super) fn ok() -> HttpResponse {
    text(StatusCode::OK, "OK")
}

/// 204
pub(super) fn no_content() -> HttpResponse {
    without_body(StatusCode::NO_CONTENT).finish()
}

/// 200 without a body.
pub(super) fn empty() -> HttpResponse {
    without_body(StatusCode::OK).finish()
}
