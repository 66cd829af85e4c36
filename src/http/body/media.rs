//! What a body says it is.

use actix_web::{HttpRequest, http::header::CONTENT_TYPE};

use super::charset::{Charset, Label};
use crate::http::ApiError;

/// The types of body that are told apart.
pub(super) enum MediaType {
    /// `multipart/form-data`
    Multipart,
    /// `application/x-www-form-urlencoded`
    Form(Label),
    /// `application/json`
    Json(Label),
    /// Anything else, or none, as it was sent.
    Other(String),
}

impl MediaType {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let value = content_type(request)?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        Ok(match essence.to_ascii_lowercase().as_str() {
            "multipart/form-data" => Self::Multipart,
            "application/x-www-form-urlencoded" => Self::Form(Charset::label(value)),
            "application/json" => Self::Json(Charset::label(value)),
            _ => Self::Other(essence.to_owned()),
        })
    }
}

/// The content type of a body, as it was sent; empty where there is none.
pub(super) fn content_type(request: &HttpRequest) -> Result<&str, ApiError> {
    let value = request.headers().get(CONTENT_TYPE);
    let value = value.map(|value| value.to_str()).transpose();
    let not_text = |_| ApiError::UnsupportedMediaType("Content-Type is no text".to_owned());
    Ok(value.map_err(not_text)?.unwrap_or_default())
}
