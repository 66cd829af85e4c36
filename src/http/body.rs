//! Reads the fields of requests, whatever their content type.
//!
//! Fields of the body replace fields of the query string with the same name. Files are streamed to the request's
//! [`Uploads`]; at most one chunk of a file is in memory. Every limit is checked before memory is allocated.

use std::mem;

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    web::{Bytes, Payload},
};
use futures_util::StreamExt;

use self::{
    charset::{Charset, CharsetLabel},
    collector::FieldCollector,
    content_type::MediaType,
    limited_stream::{BodyLimit, LimitedStream},
};
pub(super) use self::{
    messages::{MAX_MESSAGE_BYTES, read_messages},
    text::{FormLimits, JSON, TOML, read_form_fields, read_text},
};
use super::{ApiError, AppState};
use crate::{
    memory_budget::Reservation,
    model::ServiceId,
    service::{FormData, Uploads},
};

mod charset;
mod collector;
mod content_type;
mod form;
mod header_value;
mod json;
mod limited_stream;
mod messages;
mod multipart;
mod text;

/// Reads all fields of a request.
///
/// # Errors
/// The [`ApiError`] of an invalid request. Files that were uploaded before the error are released when `uploads` is
/// dropped.
pub(super) async fn read_form_data(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    uploads: &mut Uploads,
) -> Result<FormData, ApiError> {
    let mut collector = FieldCollector::new(state, parse_query(state, request)?);
    if has_body(request) {
        read_body(state, request, payload, &mut collector, uploads).await?;
    }
    let (form_data, memory) = collector.finish();
    attach_reservation(request, memory);
    Ok(form_data)
}

/// Reads all fields of a request to which no service belongs that could store files.
///
/// # Errors
/// As [`read_form_data`].
pub(super) async fn read_fields(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
) -> Result<FormData, ApiError> {
    let mut uploads = state.services.uploads(&ServiceId::generate());
    read_form_data(state, request, payload, &mut uploads).await
}

/// Keeps memory reserved until the response is complete.
fn attach_reservation(request: &HttpRequest, memory: Reservation) {
    request.extensions_mut().insert(memory);
}

async fn read_body(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
    collector: &mut FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    content_type::check_content_encoding(request)?;
    let media = MediaType::from_request(request)?;
    let limits = &state.limits;
    let (bytes, setting) = match &media {
        MediaType::Form(_) | MediaType::Json(_) if limits.form_bytes < limits.body_bytes => {
            (limits.form_bytes, "form_bytes")
        }
        MediaType::Other(name) if declared_length(request).is_some() => {
            return Err(unsupported_media_type(name));
        }
        _ => (limits.body_bytes, "body_bytes"),
    };
    let setting = Some(setting);
    let limit = BodyLimit { bytes, setting };
    let mut stream = LimitedStream::new(
        payload,
        declared_length(request),
        limit,
        state.body_idle_timeout,
    )?;
    match &media {
        MediaType::Multipart(multipart) => {
            return multipart::read(multipart, stream, collector, uploads).await;
        }
        // A chunked body may be empty, and an empty body needs no content type.
        MediaType::Other(name) => {
            let first = stream.next().await;
            return first.map_or(Ok(()), |_| Err(unsupported_media_type(name)));
        }
        MediaType::Form(_) | MediaType::Json(_) => {}
    }
    let body = read_to_end(stream, &mut collector.memory).await?;
    // The fields take about as much memory again.
    collector.memory.grow(body.len())?;
    match media {
        _ if Charset::UTF_8.strip_bom(&body).1.trim_ascii().is_empty() => {}
        MediaType::Json(charset) => read_json(state, charset.or_utf_8(), &body, collector)?,
        MediaType::Form(charset) if is_mislabeled_json(&body) => {
            read_json(state, charset.or_utf_8(), &body, collector)?;
        }
        MediaType::Form(charset) => read_form(&charset, &body, collector)?,
        MediaType::Multipart(_) | MediaType::Other(_) => {}
    }
    Ok(())
}

/// Parses the fields of the query string.
///
/// # Errors
/// [`ApiError::InvalidParameter`], [`ApiError::TooLarge`].
pub(super) fn parse_query(state: &AppState, request: &HttpRequest) -> Result<FormData, ApiError> {
    let mut query = FieldCollector::new(state, FormData::default());
    for (name, value) in parse_query_fields(request, state.limits.fields)? {
        query.add_text(name, value)?;
    }
    Ok(query.finish().0)
}

/// Parses the fields of the query string in their order, including repeated ones. They can be one more than `max_fields`.
///
/// # Errors
/// [`ApiError::InvalidParameter`].
pub(super) fn parse_query_fields(
    request: &HttpRequest,
    max_fields: usize,
) -> Result<Vec<(String, String)>, ApiError> {
    let text = request.query_string().as_bytes();
    form::parse(text, Charset::UTF_8, max_fields).map_err(|reason| {
        ApiError::InvalidParameter(format!("{reason}; the query must be percent-encoded UTF-8"))
    })
}

/// Some deployed clients send JSON with the content type of a form. No field name begins with an unencoded brace.
fn is_mislabeled_json(body: &[u8]) -> bool {
    let (_, body) = Charset::UTF_8.strip_bom(body);
    body.trim_ascii_start().starts_with(b"{")
}

fn read_form(
    charset: &CharsetLabel,
    body: &[u8],
    collector: &mut FieldCollector<'_>,
) -> Result<(), ApiError> {
    let (charset, form) = charset.require()?.strip_bom(body);
    let charset = match form::charset_field(form) {
        CharsetLabel::Absent => charset,
        CharsetLabel::Known(charset) => charset,
        CharsetLabel::Unknown(label) => {
            let message = format!("_charset_ is {label:?}, which is not a known charset");
            return Err(ApiError::InvalidBody(message));
        }
    };
    let fields = form::parse(form, charset, collector.limits.fields);
    for (name, value) in fields.map_err(|reason| invalid_text(&reason))? {
        if name != form::CHARSET_FIELD {
            collector.add_text(name, value)?;
        }
    }
    Ok(())
}

/// The error for text that is not valid in its charset.
fn invalid_text(reason: &str) -> ApiError {
    ApiError::InvalidBody(format!("{reason}; {}", charset::ALLOWED))
}

fn read_json(
    state: &AppState,
    charset: Charset,
    body: &[u8],
    collector: &mut FieldCollector<'_>,
) -> Result<(), ApiError> {
    let text = charset.decode_document(body).map_err(|reason| {
        ApiError::InvalidBody(format!(
            "the body: {reason}; JSON must be UTF-8, or in the charset that Content-Type names"
        ))
    })?;
    json::read(&text, state.unreadable_json_status, collector)
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || declared_length(request).is_some_and(|n| n > 0)
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.trim().parse().ok()
}

/// Reads a whole body, without a copy if it arrived in one chunk. Reserves memory while reading.
async fn read_to_end(
    mut stream: LimitedStream,
    memory: &mut Reservation,
) -> Result<Bytes, ApiError> {
    let max_bytes = stream.max_bytes();
    let mut body = Bytes::new();
    let mut joined = Vec::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| stream.failure().to_api_error(&error))?;
        if body.is_empty() && joined.is_empty() {
            memory.grow(bytes.len())?;
            body = bytes;
            continue;
        }
        let additional = body.len() + bytes.len();
        memory.grow_buffer(&mut joined, additional, max_bytes)?;
        joined.extend_from_slice(&mem::take(&mut body));
        joined.extend_from_slice(&bytes);
    }
    Ok(if joined.is_empty() {
        body
    } else {
        joined.into()
    })
}

fn unsupported_media_type(name: &str) -> ApiError {
    ApiError::UnsupportedMediaType(format!(
        "the content type {name:?} is not supported; expected multipart/form-data, \
         application/x-www-form-urlencoded or application/json"
    ))
}
