//! The common headers of all responses.

use std::cell::OnceCell;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA},
    },
};

use crate::model::readiness::Readiness;

const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=utf-8");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store");

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

thread_local! {
    /// The readiness of the process of this worker.
    static READINESS: OnceCell<Readiness> = const { OnceCell::new() };
}

/// Sets the readiness of this worker thread.
pub(super) fn init_worker(readiness: &Readiness) {
    READINESS.with(|cell| {
        cell.get_or_init(|| readiness.clone());
    });
}

/// A response with the common headers and the content type of JSON.
pub(super) fn with_default_headers(status: StatusCode) -> HttpResponseBuilder {
    let mut response = without_body(status);
    response.insert_header((CONTENT_TYPE, JSON));
    response
}

/// A response with the common headers, without a body and content type.
pub(super) fn without_body(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CACHE_CONTROL, NO_STORE))
        .insert_header((PRAGMA, NO_CACHE));
    // During the drain, clients with persistent connections must open their next one to another replica.
    if READINESS.with(|cell| cell.get().is_some_and(Readiness::is_draining)) {
        response.force_close();
    }
    response
}
