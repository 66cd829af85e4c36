//! A body that is one text, of one type; and the form of a page, which is read like one.

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
/// What clients call a file of whose type they know nothing. No form of a page can be sent so.
const OCTET_STREAM: &str = "application/octet-stream";
/// A form of a page.
const FORM: &str = "application/x-www-form-urlencoded";

/// How much a form of a page may have.
#[derive(Clone, Copy)]
pub(in crate::http) struct FormLimits {
    /// Bytes of it as it is sent.
    pub(in crate::http) max_bytes: usize,
    pub(in crate::http) max_fields: usize,
}

/// Reads the body as text; its type must be `wanted`. Those that change what operators made are none that
/// a form of a web page can have.
///
/// # Errors
/// [`ApiError::UnsupportedMediaType`] for any other type, and for a body without one;
/// [`ApiError::TooLarge`], [`ApiError::InvalidBody`].
pub(in crate::http) async fn read_text(
    api: &AppState,
    request: &HttpRequest,
    payload: Payload,
    wanted: &str,
) -> Result<String, ApiError> {
    let limit = BodyLimit {
        bytes: api.limits.form_bytes,
        setting: Some("form_bytes"),
    };
    read_limited_text(api, request, payload, wanted, limit).await
}

async fn read_limited_text(
    api: &AppState,
    request: &HttpRequest,
    payload: Payload,
    wanted: &str,
    limit: BodyLimit,
) -> Result<String, ApiError> {
    content_type::check_content_encoding(request)?;
    let value = content_type::content_type(request)?;
    let essence = content_type::essence(value);
    let is_wanted = essence.eq_ignore_ascii_case(wanted)
        || (wanted == TOML && essence.eq_ignore_ascii_case(OCTET_STREAM));
    if !is_wanted {
        let message = format!("a body of type {essence:?} cannot be read here, only {wanted}");
        return Err(ApiError::UnsupportedMediaType(message));
    }
    let charset: CharsetLabel = Charset::from_content_type(value);
    let stream = LimitedStream::new(
        payload,
        declared_length(request),
        limit,
        api.body_idle_timeout,
    )?;
    let mut memory = api.services.memory().requests.reservation();
    let body = read_to_end(stream, &mut memory).await?;
    // What is made of it takes about as much once more.
    memory.grow(body.len())?;
    attach_reservation(request, memory);
    let text = charset.require()?.decode_document(&body);
    text.map(std::borrow::Cow::into_owned)
        .map_err(ApiError::InvalidBody)
}

/// Reads the fields of a form of one of our own pages, in their order.
///
/// # Errors
/// As [`document`].
pub(in crate::http) async fn read_form_fields(
    api: &AppState,
    request: &HttpRequest,
    payload: Payload,
    size: FormLimits,
) -> Result<Vec<(String, String)>, ApiError> {
    let limit = BodyLimit {
        bytes: size.max_bytes,
        setting: None,
    };
    let text = read_limited_text(api, request, payload, FORM, limit).await?;
    let most = size.max_fields;
    let fields = form::parse(text.as_bytes(), Charset::UTF_8, most);
    let fields = fields.map_err(ApiError::InvalidBody)?;
    if fields.len() > most {
        let message = format!("the form has more than {most} fields");
        return Err(ApiError::TooLarge(message));
    }
    Ok(fields)
}
