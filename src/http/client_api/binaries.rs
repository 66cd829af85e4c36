//! The binaries of a service.

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{
        Method, StatusCode,
        header::{
            ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, CROSS_ORIGIN_RESOURCE_POLICY, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH,
            IF_RANGE, RANGE, Range,
        },
    },
    web::{self, Bytes},
};
use futures_util::{TryStreamExt, stream};
use percent_encoding::utf8_percent_encode;

use crate::{
    http::{ApiError, AppState, etag, fetch_metadata, path, response},
    model::{Binary, CHUNK_BYTES, ServiceId},
    service::ByteRange,
};

/// `GET` and `HEAD .../{id}/storage/binary/{key}`
pub(in crate::http) async fn read_binary(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::binary_key(&request)?);
    binary_response(&state, &request, id, key).await
}

/// The response with a binary, or with the requested range of it.
///
/// # Errors
/// [`ApiError::ServiceNotFound`], [`ApiError::KeyNotFound`], [`ApiError::PreconditionFailed`],
/// [`ApiError::RangeNotSatisfiable`], [`ApiError::Forbidden`]; errors of the store.
pub(in crate::http) async fn binary_response(
    state: &AppState,
    request: &HttpRequest,
    id: ServiceId,
    key: String,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(request)?;
    let download = state.services.find_binary(id, key.clone()).await?;
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
        add_binary_headers(&mut response, &download.binary, &key, tag);
        let mut response = response.finish();
        response.headers_mut().remove(CONTENT_TYPE);
        return Ok(response);
    }
    let size = download.binary.size;
    let (status, range) = parse_range(request, &tag, size)?;
    let mut response = response::with_default_headers(status);
    add_binary_headers(&mut response, &download.binary, &key, tag);
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
    let name = utf8_percent_encode(name, path::UNRESERVED);
    format!("attachment; filename*=UTF-8''{name}")
}

/// The requested range. Several ranges, units other than bytes, and a range of another version (`If-Range`) select
/// the whole binary, as RFC 9110 allows.
fn parse_range(
    request: &HttpRequest,
    tag: &str,
    size: u64,
) -> Result<(StatusCode, ByteRange), ApiError> {
    let whole = ByteRange {
        first: 0,
        length: size,
    };
    // `Range` applies to GET only.
    let range = request.headers().get(RANGE);
    let range = range.filter(|_| request.method() == Method::GET);
    let range = range.and_then(|range| range.to_str().ok());
    let outdated = request.headers().contains_key(IF_RANGE)
        && request
            .headers()
            .get(IF_RANGE)
            .is_none_or(|version| version != tag);
    let specs = match range.map(str::parse) {
        Some(Ok(Range::Bytes(specs))) if !outdated => specs,
        _ => return Ok((StatusCode::OK, whole)),
    };
    let [spec] = specs.as_slice() else {
        return Ok((StatusCode::OK, whole));
    };
    let (first, last) = spec
        .to_satisfiable_range(size)
        .ok_or(ApiError::RangeNotSatisfiable { size })?;
    let length = last - first + 1;
    Ok((StatusCode::PARTIAL_CONTENT, ByteRange { first, length }))
}
