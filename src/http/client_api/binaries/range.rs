//! Requests for a range of a binary.

use actix_web::{
    HttpRequest,
    http::{
        Method, StatusCode,
        header::{IF_RANGE, RANGE, Range},
    },
};

use crate::{http::ApiError, service::ByteRange};

/// The range of a read.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct RangeHeaders {
    /// One range of bytes, such as `bytes=0-499`. Several ranges and other units return the whole binary.
    #[param(rename = "Range", required = false)]
    range: String,
    /// `ETag` of the version of the range. After a replacement the response has the whole binary.
    #[param(rename = "If-Range", required = false)]
    if_range: String,
}

/// The requested range. Several ranges, units other than bytes, and a range of another version (`If-Range`) select
/// the whole binary, as RFC 9110 allows.
pub(super) fn parse_range(
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
