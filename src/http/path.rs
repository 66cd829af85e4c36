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
const ID: usize = 4;
const KEY: usize = 6;
const BINARY_KEY: usize = 7;
/// Places in `/genesys/1/admin/{what}/{name}/bookings/{booking}`.
const WHAT: usize = 4;
const ADMIN_NAME: usize = 5;
const BOOKING: usize = 7;
/// Places in `/genesys/1/admin/ui/{what}/{name}/{part}/{part name}`.
const PAGE_WHAT: usize = 5;
const PAGE_NAME: usize = 6;
const PAGE_PART: usize = 8;
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

/// The name in `/genesys/1/service/{name}`, where nothing stands behind it. Told by its place alone: a
/// route is found however the words before it are written, `/genesys/1/%73ervice/...`.
pub(super) fn only_name(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    if request.uri().path().split('/').count() != ID + 1 {
        return Ok(None);
    }
    service_name(request).map(Some)
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

/// The table that `/genesys/1/admin/services` or `/genesys/1/admin/groups` is about.
pub(super) fn table(request: &HttpRequest) -> Result<Table, ApiError> {
    let services = segment(request, WHAT)? == "services";
    Ok(if services {
        Table::Services
    } else {
        Table::Resources
    })
}

/// The name in `/genesys/1/admin/{what}/{name}`.
pub(super) fn admin_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, ADMIN_NAME)
}

/// The table that a page below `/genesys/1/admin/ui/{what}` or `/genesys/1/admin/ui/new/{what}` is about.
pub(super) fn page_table(request: &HttpRequest) -> Result<Table, ApiError> {
    let what = match segment(request, PAGE_WHAT)? {
        new if new == "new" => segment(request, PAGE_NAME)?,
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
    segment(request, PAGE_NAME)
}

/// The booking in `/genesys/1/admin/groups/{name}/bookings/{booking}`.
pub(super) fn admin_booking(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, BOOKING)
}

/// What of it is meant by `/genesys/1/admin/ui/{page}/{name}/{what}/{part}`.
pub(super) fn page_part(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, PAGE_PART)
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
