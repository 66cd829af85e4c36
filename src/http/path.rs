//! Names in paths. They are parsed from the raw path, so that `%2F` is part of a name and `/` is a separator.

use actix_web::HttpRequest;
use percent_encoding::percent_decode;

use super::ApiError;
use crate::{
    model::{ServiceId, Table},
    service::ServiceError,
};

/// Segments of `/genesys/1/service/{id}/storage/...`.
const SERVICE_ID_SEGMENT: usize = 4;
const KEY_SEGMENT: usize = 6;
const BINARY_KEY_SEGMENT: usize = 7;
/// Segments of `/genesys/1/storage/{id}/{key}`; the last two also of `/genesys/1/storage/custom/{id}/{ttl}` and
/// `/genesys/1/storage/binary/{id}/{key}`.
const STORAGE_SEGMENT: usize = 4;
const STORAGE_KEY_SEGMENT: usize = 5;
const STORAGE_LAST_SEGMENT: usize = 6;
/// Segments of `/genesys/1/admin/{collection}/{name}/bookings/{booking}` and `.../quarantine/{number}`.
const ADMIN_NAME_SEGMENT: usize = 5;
const GROUP_ITEM_SEGMENT: usize = 7;
/// Segment of the id in `/genesys/1/agent/chats/{id}/...`.
const AGENT_CHAT_SEGMENT: usize = 5;
const AGENT_FILE_SEGMENT: usize = 7;
/// Segment of the status in `/genesys/1/admin/node/changestatus/{status}`.
const NODE_STATUS_SEGMENT: usize = 6;
/// Segments of `/genesys/1/admin/ui/{collection}/{name}/{part}/{key}`.
const PAGE_COLLECTION_SEGMENT: usize = 5;
const PAGE_NAME_SEGMENT: usize = 6;
const PAGE_KEY_SEGMENT: usize = 8;
/// Segment of the id in `/genesys/1/admin/ui/agent/chats/{id}`.
const PAGE_CHAT_SEGMENT: usize = 7;
const PAGE_FILE_SEGMENT: usize = 9;
/// Segment of `agent` or `admin` in `/genesys/1/...`.
const GROUP_SEGMENT: usize = 3;
/// Segment of the id in `/genesys/1/cs/services/{id}`.
const CS_SERVICE_ID_SEGMENT: usize = 5;

/// The service id in the path of a request.
pub(super) fn service_id(request: &HttpRequest) -> Result<ServiceId, ApiError> {
    let is_cs_path = match raw_segment(request, SERVICE_ID_SEGMENT - 1) {
        b"service" => false,
        other => decode(other)? == "cs",
    };
    let index = if is_cs_path {
        CS_SERVICE_ID_SEGMENT
    } else {
        SERVICE_ID_SEGMENT
    };
    ServiceId::from_client(segment(request, index)?)
        .map_err(|id| ServiceError::NoSuchService(id).into())
}

/// The id, or the TTL, in `/genesys/1/storage/{id}` and `/genesys/1/storage/{id}/{key}`.
pub(super) fn storage_id(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, STORAGE_SEGMENT)
}

/// The key, or the TTL, in `/genesys/1/storage/{id}/{key}`.
pub(super) fn storage_key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, STORAGE_KEY_SEGMENT)
}

/// The id, and the key or TTL, in `/genesys/1/storage/custom/{id}/{ttl}` and `/genesys/1/storage/binary/{id}/{key}`.
pub(super) fn storage_id_and_last(request: &HttpRequest) -> Result<[String; 2], ApiError> {
    Ok([
        segment(request, STORAGE_KEY_SEGMENT)?,
        segment(request, STORAGE_LAST_SEGMENT)?,
    ])
}

/// The name in `/genesys/1/service/{name}`; `None` if more segments follow. Only the number of segments counts,
/// because actix-web also matches percent-encoded literals: `/genesys/1/%73ervice/...`.
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

/// The name in `/genesys/1/admin/{collection}/{name}`.
pub(super) fn admin_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, ADMIN_NAME_SEGMENT)
}

/// The id in `/genesys/1/agent/chats/{id}` and `/genesys/1/admin/ui/agent/chats/{id}`.
pub(super) fn agent_chat(request: &HttpRequest) -> Result<String, ApiError> {
    let group = segment(request, GROUP_SEGMENT)?;
    if group == "admin" {
        segment(request, PAGE_CHAT_SEGMENT)
    } else {
        segment(request, AGENT_CHAT_SEGMENT)
    }
}

/// The key in `.../agent/chats/{id}/files/{key}`.
pub(super) fn agent_file(request: &HttpRequest) -> Result<String, ApiError> {
    let group = segment(request, GROUP_SEGMENT)?;
    if group == "admin" {
        segment(request, PAGE_FILE_SEGMENT)
    } else {
        segment(request, AGENT_FILE_SEGMENT)
    }
}

/// The table of a page below `/genesys/1/admin/ui/{collection}` or `/genesys/1/admin/ui/new/{collection}`.
pub(super) fn page_table(request: &HttpRequest) -> Result<Table, ApiError> {
    let collection = match segment(request, PAGE_COLLECTION_SEGMENT)? {
        new if new == "new" => segment(request, PAGE_NAME_SEGMENT)?,
        collection => collection,
    };
    Ok(if collection == "services" {
        Table::Services
    } else {
        Table::Resources
    })
}

/// The name in `/genesys/1/admin/ui/{collection}/{name}`.
pub(super) fn page_name(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, PAGE_NAME_SEGMENT)
}

/// The booking or number in `/genesys/1/admin/groups/{name}/bookings/{booking}` and `.../quarantine/{number}`.
pub(super) fn group_item(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, GROUP_ITEM_SEGMENT)
}

/// The status in `/genesys/1/admin/node/changestatus/{status}`.
pub(super) fn node_status(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, NODE_STATUS_SEGMENT)
}

/// The key in `/genesys/1/admin/ui/{collection}/{name}/{part}/{key}`.
pub(super) fn page_key(request: &HttpRequest) -> Result<String, ApiError> {
    segment(request, PAGE_KEY_SEGMENT)
}

fn segment(request: &HttpRequest, index: usize) -> Result<String, ApiError> {
    decode(raw_segment(request, index))
}

/// A segment before percent-decoding. Splits bytes, which is much faster than splitting text.
fn raw_segment(request: &HttpRequest, index: usize) -> &[u8] {
    let path = request.uri().path().as_bytes();
    let mut segments = path.split(|byte| *byte == b'/');
    segments.nth(index).unwrap_or_default()
}

fn decode(raw: &[u8]) -> Result<String, ApiError> {
    let text = percent_decode(raw).decode_utf8();
    text.map(Into::into).map_err(|error| {
        let raw = String::from_utf8_lossy(raw);
        let message = format!("{raw:?} in the path is not UTF-8: {error}");
        ApiError::InvalidParameter(message)
    })
}
