//! Bodies that are one text (JSON or TOML), and forms of the console.

use actix_web::{HttpRequest, web::Payload};

use super::{
    attach_reservation,
    charset::{Charset, CharsetLabel},
    content_type, declared_length, form,
    limited_stream::{BodyLimit, LimitedStream},
    read_to_end,
};
use crate::http::{ApiError, AppState};

/// A JSON document.
pub(in crate::http) const JSON: &str = "application/json";
/// A TOML document.
pub(in crate::http) const TOML: &str = "application/toml";
/// The default type of files. HTML forms cannot send it.
const OCTET_STREAM: &str = "application/octet-stream";
/// A form of the console.
const FORM: &str = "application/x-www-form-urlencoded";

/// The limits of a form of the console.
#[derive(Clone, Copy)]
pub(in crate::http) struct FormLimits {
    /// The maximum size of the encoded form.
    pub(in crate::http) max_bytes: usize,
    pub(in crate::http) max_fields: usize,
}

/// Reads the body as text of the type `expected`. For changes of the catalog this is a type that no HTML form can
/// send.
///
/// # Errors
/// [`ApiError::UnsupportedMediaType`] for any other type or none;
/// [`ApiError::TooLarge`], [`ApiError::InvalidBody`].
pub(in crate::http) async fn read_text(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    expected: &str,
) -> Result<String, ApiError> {
    let limit = BodyLimit {
        bytes: state.limits.form_bytes,
        setting: Some("form_bytes"),
    };
    read_limited_text(state, request, payload, expected, limit).await
}

async fn read_limited_text(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    expected: &str,
    limit: BodyLimit,
) -> Result<String, ApiError> {
    content_type::check_content_encoding(request)?;
    let value = content_type::content_type(request)?;
    let essence = content_type::essence(value);
    let is_expected = essence.eq_ignore_ascii_case(expected)
        || (expected == TOML && essence.eq_ignore_ascii_case(OCTET_STREAM));
    if !is_expected {
        let message = format!("the content type {essence:?} is not supported; expected {expected}");
        return Err(ApiError::UnsupportedMediaType(message));
    }
    let charset: CharsetLabel = Charset::from_content_type(value);
    let stream = LimitedStream::new(
        payload,
        declared_length(request),
        limit,
        state.body_idle_timeout,
    )?;
    let mut memory = state.services.memory().requests.reservation();
    let body = read_to_end(stream, &mut memory).await?;
    // The parsed content takes about as much memory again.
    memory.grow(body.len())?;
    attach_reservation(request, memory);
    let text = charset.require()?.decode_document(&body);
    text.map(std::borrow::Cow::into_owned)
        .map_err(ApiError::InvalidBody)
}

/// Reads the fields of a form of the console, in their order.
///
/// # Errors
/// See [`read_text`].
pub(in crate::http) async fn read_form_fields(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    limits: FormLimits,
) -> Result<Vec<(String, String)>, ApiError> {
    let limit = BodyLimit {
        bytes: limits.max_bytes,
        setting: None,
    };
    let text = read_limited_text(state, request, payload, FORM, limit).await?;
    let max_fields = limits.max_fields;
    let fields = form::parse(text.as_bytes(), Charset::UTF_8, max_fields);
    let fields = fields.map_err(ApiError::InvalidBody)?;
    if fields.len() > max_fields {
        let message = format!("the form has more than {max_fields} fields");
        return Err(ApiError::TooLarge(message));
    }
    Ok(fields)
}
