//! What every answer has in common.

use std::cell::OnceCell;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA},
    },
    web::Bytes,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    ApiError,
    response_body::{BufferedBody, JsonStringsBody},
};
use crate::{memory_budget::MemoryBudget, model::readiness::Readiness, service::StorageStrings};

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

thread_local! {
    /// Whether the service of this worker is about to stop.
    static READINESS: OnceCell<Readiness> = const { OnceCell::new() };
    /// The memory for the bodies of its responses.
    static MEMORY: OnceCell<MemoryBudget> = const { OnceCell::new() };
}

/// A body of no more bytes fits into what a connection takes anyway, and is not counted.
const MAX_UNBUDGETED_BYTES: usize = 4 * 1024;

/// From now on this thread is a worker of the service that `readiness` is of, and `memory` is for the
/// bodies of its responses.
pub(super) fn init_worker(readiness: &Readiness, memory: &MemoryBudget) {
    MEMORY.with(|of_thread| {
        of_thread.get_or_init(|| memory.clone());
    });
    READINESS.with(|of_thread| {
        of_thread.get_or_init(|| readiness.clone());
    });
}

/// An answer with the headers of all answers, for JSON unless said otherwise.
pub(super) fn with_default_headers(status: StatusCode) -> HttpResponseBuilder {
    let mut response = without_body(status);
    response.insert_header((CONTENT_TYPE, JSON));
    response
}

/// A response that has no body, so no content type.
pub(super) fn without_body(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header((PRAGMA, NO_CACHE));
    // Whoever keeps connections learns to open the next one elsewhere, before this one breaks.
    if READINESS.with(|of_thread| of_thread.get().is_some_and(Readiness::is_draining)) {
        response.force_close();
    }
    response
}

/// 200 with a JSON text. It says what was done, so it is sent whatever memory is left.
pub(super) fn json(text: impl Into<Bytes>) -> HttpResponse {
    let bytes = text.into();
    let mut response = with_default_headers(StatusCode::OK);
    match MEMORY.with(|of_thread| of_thread.get().cloned()) {
        Some(memory) if bytes.len() > MAX_UNBUDGETED_BYTES => {
            let memory = memory.force_reserve(bytes.len());
            response.body(BufferedBody::new(bytes, memory))
        }
        _ => response.body(bytes),
    }
}

/// 200 with `value` as JSON, for what only reads.
///
/// # Errors
/// [`ApiError::Overloaded`] where there is no memory left for it.
pub(super) fn json_from(value: &impl Serialize) -> Result<HttpResponse, ApiError> {
    json_with(&mut with_default_headers(StatusCode::OK), value)
}

/// The response with `value` as JSON.
///
/// # Errors
/// As [`json_of`].
pub(super) fn json_with(
    response: &mut HttpResponseBuilder,
    value: &impl Serialize,
) -> Result<HttpResponse, ApiError> {
    let text = serde_json::to_vec(value).map_err(|error| serialization_error(&error))?;
    body_within_budget(response, text)
}

/// 200 with the JSON object of one string.
///
/// # Errors
/// As [`json_of`].
pub(super) fn json_member(name: &str, value: &str) -> Result<HttpResponse, ApiError> {
    let mut body = Vec::with_capacity(128);
    let mut json = serde_json::Serializer::new(&mut body);
    let written = json.serialize_map(Some(1)).and_then(|mut map| {
        map.serialize_entry(name, value)?;
        map.end()
    });
    written.map_err(|error| serialization_error(&error))?;
    body_within_budget(&mut with_default_headers(StatusCode::OK), body)
}

/// 200 with one JSON object of these strings, in their order.
///
/// # Errors
/// None in practice.
pub(super) fn json_strings(texts: StorageStrings) -> Result<HttpResponse, ApiError> {
    let body = JsonStringsBody::new(texts).map_err(|error| serialization_error(&error))?;
    Ok(with_default_headers(StatusCode::OK).body(body))
}

/// The response with this body, if there is memory for it until it is sent.
///
/// # Errors
/// [`ApiError::Overloaded`]
pub(super) fn body_within_budget(
    response: &mut HttpResponseBuilder,
    body: impl Into<Bytes>,
) -> Result<HttpResponse, ApiError> {
    let body = body.into();
    match MEMORY.with(|of_thread| of_thread.get().cloned()) {
        Some(memory) if body.len() > MAX_UNBUDGETED_BYTES => {
            let memory = memory.reserve(body.len())?;
            Ok(response.body(BufferedBody::new(body, memory)))
        }
        _ => Ok(response.body(body)),
    }
}

/// Writing into memory cannot fail; if it does, it is a fault of ours.
fn serialization_error(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "an answer could not be written");
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
/// As [`json_of`].
pub(super) fn text_value(value: String) -> Result<HttpResponse, ApiError> {
    let mut response = with_default_headers(StatusCode::OK);
    body_within_budget(response.insert_header((CONTENT_TYPE, TEXT)), value)
}

/// 200 `OK`.
pub(super) fn ok() -> HttpResponse {
    text(StatusCode::OK, "OK")
}

/// 200 without a body.
pub(super) fn empty() -> HttpResponse {
    without_body(StatusCode::OK).finish()
}
