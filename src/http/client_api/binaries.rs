//! The binaries of a service.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        Method, StatusCode,
        header::{
            ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, CROSS_ORIGIN_RESOURCE_POLICY, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH,
        },
    },
    web::{self, Bytes},
};
use futures_util::{TryStreamExt, stream};
use percent_encoding::utf8_percent_encode;

use self::{
    range::{RangeHeaders, parse_range},
    responses::{BinaryHeadResponses, BinaryResponses},
};
use crate::{
    http::{
        ApiError, AppState, body, etag, fetch_metadata,
        openapi::{
            errors::{
                ClientErrors, Forbidden, KeyNotFound, PreconditionFailed, RangeNotSatisfiable,
                ServiceNotFound,
            },
            fields::EXAMPLE_FILE,
            parameters::{IfNoneMatchHeader, ServiceIdPath},
        },
        path, response,
    },
    model::{Binary, CHUNK_BYTES, RESERVED, ServiceId},
    service::Download,
};

pub(in crate::http) mod range;
pub(in crate::http) mod responses;

pub(super) const DESCRIPTION: &str =
    "The response has the content type and the file name of the upload.";

/// The key of a binary in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct BinaryKeyPath {
    /// The storage key: any characters, 1 to 256 bytes; encode `/` as `%2F`.
    #[param(min_length = 1, example = json!(EXAMPLE_FILE))]
    key: String,
}

/// The precondition of a read.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct BinaryVersionHeader {
    /// `ETag`s, one of which must be the current version, or `*`. Weak tags never match.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
}

/// `HEAD .../{id}/storage/binary/{key}`
#[utoipa::path(
    head,
    path = "/genesys/1/service/{id}/storage/binary/{key}",
    operation_id = "headBinary",
    tag = "binaries",
    summary = "Read the headers of a binary",
    description = DESCRIPTION,
    params(ServiceIdPath, BinaryKeyPath, BinaryVersionHeader, IfNoneMatchHeader),
    responses(BinaryHeadResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound, PreconditionFailed),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn head_binary(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    read_binary(state, request).await
}

/// `GET .../{id}/storage/binary/{key}`
#[utoipa::path(
    get,
    path = "/genesys/1/service/{id}/storage/binary/{key}",
    operation_id = "readBinary",
    tag = "binaries",
    summary = "Read a binary",
    description = DESCRIPTION,
    params(ServiceIdPath, BinaryKeyPath, BinaryVersionHeader, IfNoneMatchHeader, RangeHeaders),
    responses(BinaryResponses, ClientErrors, Forbidden, ServiceNotFound, KeyNotFound, PreconditionFailed, RangeNotSatisfiable),
    security((), ("basic" = [])),
)]
pub(in crate::http) async fn read_binary(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::binary_key(&request)?);
    fetch_metadata::check_destination(&request)?;
    let download = state.services.find_binary(id, key.clone()).await?;
    binary_response(&state, &request, download, &key)
}

/// The response with a binary for a page of this origin. The content is untrusted, so its type is not that of the upload.
///
/// # Errors
/// As [`binary_response`]; those of a read.
pub(in crate::http) async fn download(
    state: &AppState,
    request: &HttpRequest,
    id: ServiceId,
    key: String,
) -> Result<HttpResponse, ApiError> {
    let download = state.services.find_binary(id, key.clone()).await?;
    let mut response = binary_response(state, request, download, &key)?;
    if response.headers().contains_key(CONTENT_TYPE) {
        let octet_stream = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, octet_stream);
    }
    Ok(response)
}

/// The key in the path, or in the query for a key that browsers remove from paths (`.` and `..`).
pub(in crate::http) fn key_or_query(
    state: &AppState,
    request: &HttpRequest,
    in_path: impl FnOnce(&HttpRequest) -> Result<String, ApiError>,
) -> Result<String, ApiError> {
    match body::parse_query(state, request)?.text("key") {
        Some(dots) => Ok(dots.to_owned()),
        None => in_path(request),
    }
}

/// The response with a binary, or with the requested range of it.
///
/// # Errors
/// [`ApiError::PreconditionFailed`], [`ApiError::RangeNotSatisfiable`], [`ApiError::Overloaded`].
pub(in crate::http) fn binary_response(
    state: &AppState,
    request: &HttpRequest,
    download: Download,
    key: &str,
) -> Result<HttpResponse, ApiError> {
    let tag = format!("\"{}\"", download.binary.blob.as_str());
    // RFC 9110 13.2.2 requires this order, with the range last.
    let has_if_match = request.headers().contains_key(IF_MATCH);
    if has_if_match && !etag::matches_strong(request, &IF_MATCH, &tag) {
        return Err(ApiError::PreconditionFailed(format!(
            "binary {key:?} has been replaced; its current ETag is {tag}"
        )));
    }
    if etag::matches_weak(request, &IF_NONE_MATCH, &tag) {
        let mut response = response::without_body(StatusCode::NOT_MODIFIED);
        add_binary_headers(&mut response, &download.binary, key, tag);
        let mut response = response.finish();
        response.headers_mut().remove(CONTENT_TYPE);
        return Ok(response);
    }
    let size = download.binary.size;
    let (status, range) = parse_range(request, &tag, size)?;
    let mut response = response::with_default_headers(status);
    add_binary_headers(&mut response, &download.binary, key, tag);
    if status == StatusCode::PARTIAL_CONTENT {
        let last = range.first + range.length - 1;
        response.insert_header((
            CONTENT_RANGE,
            format!("bytes {}-{last}/{size}", range.first),
        ));
    }
    if request.method() == Method::HEAD {
        // actix-web would read a body to its end and discard it.
        let empty = stream::empty::<Result<Bytes, ApiError>>();
        return Ok(response.body(SizedStream::new(range.length, empty)));
    }
    let download_guard = state.http_metrics.track_download();
    // At most one chunk is in memory.
    let chunk = range.length.min(CHUNK_BYTES as u64);
    let chunk = usize::try_from(chunk).unwrap_or(CHUNK_BYTES);
    let memory = state.services.memory().responses.reserve(chunk)?;
    let bytes = download.bytes(range).map_err(move |error| {
        let _guards = (&download_guard, &memory);
        ApiError::from(error)
    });
    Ok(response.body(SizedStream::new(range.length, bytes)))
}

fn add_binary_headers(
    response: &mut actix_web::HttpResponseBuilder,
    binary: &Binary,
    key: &str,
    tag: String,
) {
    let name = binary.file_name.as_deref().filter(|name| !name.is_empty());
    let content_type = HeaderValue::from_str(&binary.content_type);
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((
            CONTENT_DISPOSITION,
            content_disposition(name.unwrap_or(key)),
        ))
        .insert_header((ETAG, tag))
        .insert_header((ACCEPT_RANGES, "bytes"))
        // The content type comes from the uploader: browsers must not run the binary as a page of this origin,
        // and pages of other origins must not embed it.
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"));
}

/// Makes browsers save the response as a file of this name instead of displaying it.
pub(in crate::http) fn content_disposition(name: &str) -> String {
    let name = utf8_percent_encode(name, RESERVED);
    format!("attachment; filename*=UTF-8''{name}")
}
