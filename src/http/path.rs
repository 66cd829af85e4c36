//! Names in paths. They are read from the path as it was sent, so that a `%2F` in a name is part of
//! the name and a `/` is not.

use actix_web::HttpRequest;
use percent_encoding::percent_decode;

use super::ApiError;
use crate::store::ServiceId;

/// Places in `/genesys/1/service/{id}/storage/...`.
const ID: usize = 4;
const KEY: usize = 6;
const BINARY_KEY: usize = 7;
/// Place of the id in `/genesys/1/cs/services/{id}`.
const ID_UNDER_CS: usize = 5;

/// The service that a request is about.
pub(super) fn service_id(request: &HttpRequest) -> Result<ServiceId, ApiError> {
    let under_cs = match raw_segment(request, ID - 1) {
        b"service" => false,
        other => decoded(other)? == "cs",
    };
    let place = if under_cs { ID_UNDER_CS } else { ID };
    segment(request, place).map(ServiceId::from)
}

/// The name in `/genesys/1/service/{name}`.
pub(super) fn service_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, ID)
}

/// The key in `.../storage/{key}`.
pub(super) fn key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, KEY)
}

/// The key in `.../storage/binary/{key}`.
pub(super) fn binary_key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, BINARY_KEY)
}

/// The request in `/genesys/1/service/{id}/{request}`, which may span segments.
pub(super) fn service_request(request: &HttpRequest) -> Result<String, ApiError> {
    let rest = request.uri().path().splitn(ID + 2, '/').nth(ID + 1);
    decoded(rest.unwrap_or_default().as_bytes())
}

fn segment(request: &HttpRequest, place: usize) -> Result<String, ApiError> {
    decoded(raw_segment(request, place))
}

/// Bytes, for they are looked through several times a request, and much faster than text.
fn raw_segment(request: &HttpRequest, place: usize) -> &[u8] {
    let path = request.uri().path().as_bytes();
    let mut segments = path.split(|byte| *byte == b'/');
    segments.nth(place).unwrap_or_default()
}

fn decoded(raw: &[u8]) -> Result<String, ApiError> {
    let text = percent_decode(raw).decode_utf8();
    text.map(Into::into).map_err(|error| {
        let raw = String::from_utf8_lossy(raw);
        let message = format!("{raw:?} in the path is not UTF-8: {error}");
        ApiError::InvalidParameter(message)
    })
}
