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

use super::{ApiError, AppState, etag, fetch_metadata, path, response};
use crate::{
    service::ByteRange,
    store::{Binary, CHUNK_BYTES, ServiceId},
    telemetry::metrics,
};

/// `GET` and `HEAD .../{id}/storage/binary/{key}`
pub(super) async fn read_binary(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (id, key) = (path::service_id(&request)?, path::binary_key(&request)?);
    binary_response(&api, &request, id, key).await
}

/// The binary, or what of it is asked for.
///
/// # Errors
/// [`ApiError::ServiceNotFound`], [`ApiError::KeyNotFound`], [`ApiError::PreconditionFailed`],
/// [`ApiError::RangeNotSatisfiable`], [`ApiError::Forbidden`]; what the store says.
pub(super) async fn binary_response(
    api: &AppState,
    request: &HttpRequest,
    id: ServiceId,
    key: String,
) -> Result<HttpResponse, ApiError> {
    fetch_metadata::check_destination(request)?;
    let download = api.services.find_binary(id, key.clone()).await?;
    let tag = format!("\"{}\"", download.binary.blob.as_str());
    // In this order, and the range last (RFC 9110 13.2.2).
    let required = request.headers().contains_key(IF_MATCH);
    if required && !etag::matches_strong(request, &IF_MATCH, &tag) {
        return Err(ApiError::PreconditionFailed(format!(
            "binary {key:?} has been replaced; its ETag is {tag} now"
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
    let (status, span) = parse_range(request, &tag, size)?;
    let mut response = response::with_default_headers(status);
    add_binary_headers(&mut response, &download.binary, &key, tag);
    if status == StatusCode::PARTIAL_CONTENT {
        let last = span.first + span.length - 1;
        response.insert_header((CONTENT_RANGE, format!("bytes {}-{last}/{size}", span.first)));
    }
    if request.method() == Method::HEAD {
        // A body would be read to its end, for nobody.
        let nothing = stream::empty::<Result<Bytes, ApiError>>();
        return Ok(response.body(SizedStream::new(span.length, nothing)));
    }
    let under_way = metrics::track_download();
    // A chunk at a time is in memory.
    let chunk = span.length.min(CHUNK_BYTES as u64);
    let chunk = usize::try_from(chunk).unwrap_or(CHUNK_BYTES);
    let memory = api.services.memory().responses.reserve(chunk)?;
    let bytes = download.bytes(span).map_err(move |error| {
        let _until_the_last = (&under_way, &memory);
        ApiError::from(error)
    });
    Ok(response.body(SizedStream::new(span.length, bytes)))
}

fn add_binary_headers(
    response: &mut actix_web::HttpResponseBuilder,
    binary: &Binary,
    key: &str,
    tag: String,
) {
    let name = binary.file_name.as_deref().filter(|name| !name.is_empty());
    let kind = HeaderValue::from_str(&binary.content_type);
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((
            CONTENT_DISPOSITION,
            content_disposition(name.unwrap_or(key)),
        ))
        .insert_header((ETAG, tag))
        .insert_header((ACCEPT_RANGES, "bytes"))
        // Whoever uploaded it says what it is: no browser may run it as a page of this origin, nor
        // may a page of another one have it shown in itself.
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"));
}

/// Has browsers keep what is sent as a file of that name, and show it nowhere.
pub(super) fn content_disposition(name: &str) -> String {
    let name = utf8_percent_encode(name, path::UNRESERVED);
    format!("attachment; filename*=UTF-8''{name}")
}

/// What of the binary is asked for. More ranges than one, units other than bytes, and a range for
/// another version than there is are answered with the whole, as HTTP has it.
fn parse_range(
    request: &HttpRequest,
    tag: &str,
    size: u64,
) -> Result<(StatusCode, ByteRange), ApiError> {
    let whole = ByteRange {
        first: 0,
        length: size,
    };
    // A range counts for GET only.
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
