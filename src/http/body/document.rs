//! A body that is one text, of one type; and the form of a page, which is read like one.

use actix_web::{HttpRequest, web::Payload};

use super::{
    charset::{Charset, Label},
    declared_length, form, keep, media,
    stream::{BodyStream, Limit},
    whole,
};
use crate::http::{Api, ApiError};

/// A JSON document.
pub(in crate::http) const JSON: &str = "application/json";
/// A TOML document.
pub(in crate::http) const TOML: &str = "application/toml";
/// What clients call a file of whose type they know nothing. No form of a page can be sent so.
const BYTES: &str = "application/octet-stream";
/// A form of a page.
const FORM: &str = "application/x-www-form-urlencoded";

/// How much a form of a page may have.
#[derive(Clone, Copy)]
pub(in crate::http) struct FormSize {
    /// Bytes of it as it is sent.
    pub(in crate::http) bytes: usize,
    pub(in crate::http) fields: usize,
}

/// Reads the body as text; its type must be `wanted`. Those that change what operators made are none that
/// a form of a web page can have.
///
/// # Errors
/// [`ApiError::UnsupportedMediaType`] for any other type, and for a body without one;
/// [`ApiError::TooLarge`], [`ApiError::InvalidBody`].
pub(in crate::http) async fn document(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    wanted: &str,
) -> Result<String, ApiError> {
    let limit = Limit {
        bytes: api.limits.form_bytes,
        setting: Some("form_bytes"),
    };
    text(api, request, payload, wanted, limit).await
}

async fn text(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    wanted: &str,
    limit: Limit,
) -> Result<String, ApiError> {
    media::check_encoding(request)?;
    let value = media::content_type(request)?;
    let essence = media::essence(value);
    let is_wanted = essence.eq_ignore_ascii_case(wanted)
        || (wanted == TOML && essence.eq_ignore_ascii_case(BYTES));
    if !is_wanted {
        let message = format!("a body of type {essence:?} cannot be read here, only {wanted}");
        return Err(ApiError::UnsupportedMediaType(message));
    }
    let charset: Label = Charset::label(value);
    let stream = BodyStream::new(payload, declared_length(request), limit, api.body_stall)?;
    let mut memory = api.services.memory().requests.reservation();
    let body = whole(stream, &mut memory).await?;
    // What is made of it takes about as much once more.
    memory.grow(body.len())?;
    keep(request, memory);
    let text = charset.known()?.decode_document(&body);
    text.map(std::borrow::Cow::into_owned)
        .map_err(ApiError::InvalidBody)
}

/// Reads the fields of a form of one of our own pages, in their order.
///
/// # Errors
/// As [`document`].
pub(in crate::http) async fn fields(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    size: FormSize,
) -> Result<Vec<(String, String)>, ApiError> {
    let limit = Limit {
        bytes: size.bytes,
        setting: None,
    };
    let text = text(api, request, payload, FORM, limit).await?;
    let most = size.fields;
    let fields = form::pairs(text.as_bytes(), Charset::UTF_8, most);
    let fields = fields.map_err(ApiError::InvalidBody)?;
    if fields.len() > most {
        let message = format!("the form has more than {most} fields");
        return Err(ApiError::TooLarge(message));
    }
    Ok(fields)
}
