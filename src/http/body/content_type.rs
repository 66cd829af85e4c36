//! The content type and content encoding of a body.

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{
    charset::{Charset, CharsetLabel},
    header_value::{HeaderValue, display_bytes},
};
use crate::http::ApiError;

/// The maximum length of a boundary. RFC 2046 allows 70 bytes.
const MAX_BOUNDARY_BYTES: usize = 200;

/// The content type of a body.
pub(super) enum MediaType {
    /// `multipart/form-data`
    Multipart(MultipartType),
    /// `application/x-www-form-urlencoded`
    Form(CharsetLabel),
    /// `application/json`
    Json(CharsetLabel),
    /// Any other type, as it was sent; empty if there is none.
    Other(String),
}

/// The parameters of a multipart body.
pub(super) struct MultipartType {
    /// The boundary between the parts.
    pub(super) boundary: Vec<u8>,
    pub(super) charset: CharsetLabel,
}

impl Charset {
    /// The `charset` parameter of a content type.
    pub(super) fn from_content_type(content_type: &str) -> CharsetLabel {
        let header = HeaderValue::parse(content_type.as_bytes());
        match header.and_then(|header| header.parameter("charset")) {
            Ok(Some(label)) => Self::from_label(&String::from_utf8_lossy(&label)),
            Ok(None) => CharsetLabel::Absent,
            Err(_) => CharsetLabel::Unknown(content_type.to_owned()),
        }
    }
}

impl MediaType {
    /// Parses the `Content-Type` header.
    ///
    /// # Errors
    /// [`ApiError::UnsupportedMediaType`] for a header that is not text; [`ApiError::InvalidBody`] for a
    /// multipart body without a boundary.
    pub(super) fn from_request(request: &HttpRequest) -> Result<Self, ApiError> {
        let value = content_type(request)?;
        let essence = essence(value);
        Ok(match essence.to_ascii_lowercase().as_str() {
            "multipart/form-data" => Self::Multipart(MultipartType {
                boundary: boundary(value).map_err(|reason| {
                    ApiError::InvalidBody(format!("Content-Type multipart/form-data: {reason}"))
                })?,
                charset: Charset::from_content_type(value),
            }),
            "application/x-www-form-urlencoded" => Self::Form(Charset::from_content_type(value)),
            "application/json" => Self::Json(Charset::from_content_type(value)),
            _ => Self::Other(essence.to_owned()),
        })
    }
}

/// The content type of a body, as it was sent; empty if there is none.
pub(super) fn content_type(request: &HttpRequest) -> Result<&str, ApiError> {
    let value = request.headers().get(CONTENT_TYPE);
    let value = value.map(|value| value.to_str()).transpose();
    let not_text = |_| ApiError::UnsupportedMediaType("Content-Type is not ASCII text".to_owned());
    Ok(value.map_err(not_text)?.unwrap_or_default())
}

/// A content type without its parameters.
pub(super) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Rejects a compressed body.
///
/// # Errors
/// [`ApiError::UnsupportedContentEncoding`]
pub(super) fn check_content_encoding(request: &HttpRequest) -> Result<(), ApiError> {
    for value in request.headers().get_all(CONTENT_ENCODING) {
        let codings = value.as_bytes().split(|byte| *byte == b',');
        for coding in codings.map(<[u8]>::trim_ascii) {
            if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                return Err(ApiError::UnsupportedContentEncoding(display_bytes(coding)));
            }
        }
    }
    Ok(())
}

fn boundary(content_type: &str) -> Result<Vec<u8>, String> {
    let header = HeaderValue::parse(content_type.as_bytes())?;
    let boundary = header.parameter("boundary")?.unwrap_or_default();
    match boundary.len() {
        0 => Err("the parameter boundary is missing".to_owned()),
        1..=MAX_BOUNDARY_BYTES => Ok(boundary),
        bytes => Err(format!(
            "the boundary has {bytes} bytes; at most {MAX_BOUNDARY_BYTES} are allowed"
        )),
    }
}
