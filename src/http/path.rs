//! Names in paths. They are read from the path as it was sent, so that a `%2F` in a name is part of
//! the name and a `/` is not.

use actix_web::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode};

use super::ApiError;
use crate::store::{ServiceId, Table};

/// What stands as it is in a name in a path (RFC 3986) and in `filename*` (RFC 8187); all else is
/// percent-encoded.
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Places in `/genesys/1/service/{id}/storage/...`.
const SERVICE_ID_SEGMENT: usize = 4;
const KEY_SEGMENT: usize = 6;
const BINARY_KEY_SEGMENT: usize = 7;
/// Places in `/genesys/1/admin/{what}/{name}/bookings/{booking}`.
const ADMIN_COLLECTION_SEGMENT: usize = 4;
const ADMIN_NAME_SEGMENT: usize = 5;
const BOOKING_SEGMENT: usize = 7;
/// Places in `/genesys/1/admin/ui/{what}/{name}/{part}/{part name}`.
const PAGE_COLLECTION_SEGMENT: usize = 5;
const PAGE_NAME_SEGMENT: usize = 6;
const PAGE_KEY_SEGMENT: usize = 8;
/// Place of the id in `/genesys/1/cs/services/{id}`.
const CS_SERVICE_ID_SEGMENT: usize = 5;

/// The service that a request is about.
pub(super) fn service_id(request: &HttpRequest) -> Result<ServiceId, ApiError> {
    let under_cs = match raw_segment(request, SERVICE_ID_SEGMENT - 1) {
        b"service" => false,
        other => decode(other)? == "cs",
    };
    let place = if under_cs {
        CS_SERVICE_ID_SEGMENT
    } else {
        SERVICE_ID_SEGMENT
    };
    segment(request, place).map(ServiceId::from)
}

/// The name in `/genesys/1/service/{name}`, where nothing stands behind it. Told by its place alone: a
/// route is found however the words before it are written, `/genesys/1/%73ervice/...`.
pub(super) fn bare_service_name(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    if request.uri().path().split('/').count() != SERVICE_ID_SEGMENT + 1 {
        return Ok(None);
    }
    service_name(request).map(Some)
}

/// The name in `/genesys/1/service/{name}`.
pub(super) fn service_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, SERVICE_ID_SEGMENT)
}

/// The key in `.../storage/{key}`.
pub(super) fn key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, KEY_SEGMENT)
}

/// The key in `.../storage/binary/{key}`.
pub(super) fn binary_key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, BINARY_KEY_SEGMENT)
}

/// The request in `/genesys/1/service/{id}/{request}`, which may span segments.
pub(super) fn service_request(request: &HttpRequest) -> Result<String, ApiError> {
    let rest = request
        .uri()
        .path()
        .splitn(SERVICE_ID_SEGMENT + 2, '/')
        .nth(SERVICE_ID_SEGMENT + 1);
    decode(rest.unwrap_or_default().as_bytes())
}

/// The table that `/genesys/1/admin/services` or `/genesys/1/admin/groups` is about.
pub(super) fn table(request: &HttpRequest) -> Result<Table, ApiError> {
    let services = segment(request, ADMIN_COLLECTION_SEGMENT)? == "services";
    Ok(if services {
        Table::Services
    } else {
        Table::Resources
    })
}

/// The name in `/genesys/1/admin/{what}/{name}`.
pub(super) fn admin_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, ADMIN_NAME_SEGMENT)
}

/// The table that a page below `/genesys/1/admin/ui/{what}` or `/genesys/1/admin/ui/new/{what}` is about.
pub(super) fn page_table(request: &HttpRequest) -> Result<Table, ApiError> {
    let what = match segment(request, PAGE_COLLECTION_SEGMENT)? {
        new if new == "new" => segment(request, PAGE_NAME_SEGMENT)?,
        what => what,
    };
    Ok(if what == "services" {
        Table::Services
    } else {
        Table::Resources
    })
}

/// The name in `/genesys/1/admin/ui/{what}/{name}`.
pub(super) fn page_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, PAGE_NAME_SEGMENT)
}

/// The booking in `/genesys/1/admin/groups/{name}/bookings/{booking}`.
pub(super) fn admin_booking(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, BOOKING_SEGMENT)
}

/// What of it is meant by `/genesys/1/admin/ui/{page}/{name}/{what}/{part}`.
pub(super) fn page_key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, PAGE_KEY_SEGMENT)
}

fn segment(request: &HttpRequest, place: usize) -> Result<String, ApiError> {
    decode(raw_segment(request, place))
}

/// Bytes, for they are looked through several times a request, and much faster than text.
fn raw_segment(request: &HttpRequest, place: usize) -> &[u8] {
    let path = request.uri().path().as_bytes();
    let mut segments = path.split(|byte| *byte == b'/');
    segments.nth(place).unwrap_or_default()
}

fn decode(raw: &[u8]) -> Result<String, ApiError> {
    let text = percent_decode(raw).decode_utf8();
    text.map(Into::into).map_err(|error| {
        let raw = String::from_utf8_lossy(raw);
        let message = format!("{raw:?} in the path is not UTF-8: {error}");
        ApiError::InvalidParameter(message)
    })
}
