//! The one body reader: whatever carries pairs, they come out the same.
//!
//! Pairs of the query string come first, those of the body replace them by name. Files go to the
//! request's [`Uploads`] as they arrive; no more than a chunk of one is held here. Every limit is
//! checked before what it limits is taken in.

use std::mem;

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    web::{Bytes, Payload},
};
use futures_util::StreamExt;

pub(super) use self::text::{FormLimits, JSON, TOML, read_form_fields, read_text};
use self::{
    charset::{Charset, CharsetLabel},
    collector::FieldCollector,
    content_type::MediaType,
    limited_stream::{BodyLimit, LimitedStream},
};
use super::{ApiError, AppState};
use crate::{
    memory_budget::Reservation,
    service::{FormData, Uploads},
};

mod charset;
mod collector;
mod content_type;
mod form;
mod header_value;
mod json;
mod limited_stream;
mod multipart;
mod text;

/// Reads all pairs of a request.
///
/// # Errors
/// The row of the error table for what is wrong with it. Files that were taken in by then are given
/// up when `uploads` is dropped.
pub(super) async fn read_form_data(
    api: &AppState,
    request: &HttpRequest,
    payload: Payload,
    uploads: &mut Uploads,
) -> Result<FormData, ApiError> {
    let mut intake = FieldCollector::new(api, parse_query(api, request)?);
    if has_body(request) {
        read_body(api, request, payload, &mut intake, uploads).await?;
    }
    let (pairs, memory) = intake.finish();
    attach_reservation(request, memory);
    Ok(pairs)
}

/// Keeps memory reserved until the request is answered.
fn attach_reservation(request: &HttpRequest, memory: Reservation) {
    request.extensions_mut().insert(memory);
}

async fn read_body(
    api: &AppState,
    request: &HttpRequest,
    payload: Payload,
    intake: &mut FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    content_type::check_content_encoding(request)?;
    let media = MediaType::from_request(request)?;
    let limits = &api.limits;
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
        api.body_idle_timeout,
    )?;
    match &media {
        MediaType::Multipart(multipart) => {
            return multipart::read(multipart, stream, intake, uploads).await;
        }
        // What comes in pieces may be nothing, which needs no type.
        MediaType::Other(name) => {
            let first = stream.next().await;
            return first.map_or(Ok(()), |_| Err(unsupported_media_type(name)));
        }
        MediaType::Form(_) | MediaType::Json(_) => {}
    }
    let body = read_to_end(stream, &mut intake.memory).await?;
    // The pairs take about as much once more.
    intake.memory.grow(body.len())?;
    match media {
        _ if Charset::UTF_8.strip_bom(&body).1.trim_ascii().is_empty() => {}
        MediaType::Json(charset) => read_json(api, charset.or_utf_8(), &body, intake)?,
        MediaType::Form(charset) if is_mislabeled_json(&body) => {
            read_json(api, charset.or_utf_8(), &body, intake)?;
        }
        MediaType::Form(charset) => read_form(&charset, &body, intake)?,
        MediaType::Multipart(_) | MediaType::Other(_) => {}
    }
    Ok(())
}

/// The pairs of the query string.
///
/// # Errors
/// As [`read`].
pub(super) fn parse_query(api: &AppState, request: &HttpRequest) -> Result<FormData, ApiError> {
    let mut query = FieldCollector::new(api, FormData::default());
    let text = request.query_string().as_bytes();
    let pairs = form::parse(text, Charset::UTF_8, api.limits.fields);
    let invalid = |reason| {
        ApiError::InvalidParameter(format!("{reason}; the query must be percent-encoded UTF-8"))
    };
    for (name, value) in pairs.map_err(invalid)? {
        query.add_text(name, value)?;
    }
    Ok(query.finish().0)
}

/// Some deployed clients label JSON as a form. No name of a form begins with a bare brace.
fn is_mislabeled_json(body: &[u8]) -> bool {
    let (_, body) = Charset::UTF_8.strip_bom(body);
    body.trim_ascii_start().starts_with(b"{")
}

fn read_form(
    charset: &CharsetLabel,
    body: &[u8],
    intake: &mut FieldCollector<'_>,
) -> Result<(), ApiError> {
    let (charset, form) = charset.require()?.strip_bom(body);
    let charset = match form::charset_field(form) {
        CharsetLabel::Absent => charset,
        CharsetLabel::Known(charset) => charset,
        CharsetLabel::Unknown(label) => {
            let message = format!("_charset_ is {label:?}, which is no known charset");
            return Err(ApiError::InvalidBody(message));
        }
    };
    let pairs = form::parse(form, charset, intake.limits.fields);
    for (name, value) in pairs.map_err(|reason| invalid_text(&reason))? {
        if name != form::CHARSET_FIELD {
            intake.add_text(name, value)?;
        }
    }
    Ok(())
}

/// The error for text that is not valid in its charset.
fn invalid_text(reason: &str) -> ApiError {
    ApiError::InvalidBody(format!("{reason}; {}", charset::ALLOWED))
}

fn read_json(
    api: &AppState,
    charset: Charset,
    body: &[u8],
    intake: &mut FieldCollector<'_>,
) -> Result<(), ApiError> {
    let text = charset.decode_document(body).map_err(|reason| {
        ApiError::InvalidBody(format!(
            "the body: {reason}; JSON must be UTF-8, or in the charset that Content-Type names"
        ))
    })?;
    json::read(&text, api.unreadable_json_status, intake)
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    headers.contains_key(TRANSFER_ENCODING) || declared_length(request).is_some_and(|n| n > 0)
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.trim().parse().ok()
}

/// The whole body; where it came in one piece, that piece. Its memory is reserved as it comes.
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
        let more = body.len() + bytes.len();
        memory.grow_buffer(&mut joined, more, max_bytes)?;
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
        "a body of type {name:?} cannot be read, only multipart/form-data, \
         application/x-www-form-urlencoded and application/json"
    ))
}
