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
use serde::{Serializer, ser::SerializeMap};

use super::ApiError;
use crate::model::readiness::Readiness;

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

thread_local! {
    /// Whether the service of this worker is about to stop.
    static READINESS: OnceCell<Readiness> = const { OnceCell::new() };
}

/// From now on this thread is a worker of the service that `readiness` is of.
pub(super) fn work_for(readiness: &Readiness) {
    READINESS.with(|of_thread| {
        of_thread.get_or_init(|| readiness.clone());
    });
}

/// An answer with the headers of all answers, for JSON unless said otherwise.
pub(super) fn with_headers(status: StatusCode) -> HttpResponseBuilder {
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

/// 200 with a JSON text.
pub(super) fn json(text: impl Into<Bytes>) -> HttpResponse {
    with_headers(StatusCode::OK).body(text.into())
}

/// 200 with one JSON object of these members, in this order.
pub(super) fn members(
    members: impl ExactSizeIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) -> Result<HttpResponse, ApiError> {
    let mut body = Vec::with_capacity(128);
    let mut json = serde_json::Serializer::new(&mut body);
    let written = json.serialize_map(Some(members.len())).and_then(|mut map| {
        for (name, value) in members {
            map.serialize_entry(name.as_ref(), value.as_ref())?;
        }
        map.end()
    });
    // Strings into memory cannot fail; if they do, it is a fault of ours.
    written.map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        ApiError::Internal
    })?;
    Ok(with_headers(StatusCode::OK).body(body))
}

/// Plain text.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    with_headers(status)
        .insert_header((CONTENT_TYPE, TEXT))
        .body(text.into())
}

/// 200 `OK`.
pub(super) fn ok() -> HttpResponse {
    text(StatusCode::OK, "OK")
}

/// 200 without a body.
pub(super) fn empty() -> HttpResponse {
    without_body(StatusCode::OK).finish()
}
