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

pub(super) use self::document::{FormSize, JSON, TOML, document, fields};
use self::{
    charset::{Charset, Label},
    intake::Intake,
    media::MediaType,
    stream::{BodyStream, Limit},
};
use super::{Api, ApiError};
use crate::{
    memory_budget::Reservation,
    service::{Pairs, Uploads},
};

mod charset;
mod document;
mod form;
mod header_value;
mod intake;
mod json;
mod media;
mod multipart;
mod stream;

/// Reads all pairs of a request.
///
/// # Errors
/// The row of the error table for what is wrong with it. Files that were taken in by then are given
/// up when `uploads` is dropped.
pub(super) async fn read(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    uploads: &mut Uploads,
) -> Result<Pairs, ApiError> {
    let mut intake = Intake::new(api, query(api, request)?);
    if has_body(request) {
        read_body(api, request, payload, &mut intake, uploads).await?;
    }
    let (pairs, memory) = intake.finish();
    keep(request, memory);
    Ok(pairs)
}

/// Keeps memory reserved until the request is answered.
fn keep(request: &HttpRequest, memory: Reservation) {
    request.extensions_mut().insert(memory);
}

async fn read_body(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    intake: &mut Intake<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    media::check_encoding(request)?;
    let media = MediaType::of(request)?;
    let limits = &api.limits;
    let (bytes, setting) = match &media {
        MediaType::Form(_) | MediaType::Json(_) if limits.form_bytes < limits.body_bytes => {
            (limits.form_bytes, "form_bytes")
        }
        MediaType::Other(name) if declared_length(request).is_some() => {
            return Err(unsupported(name));
        }
        _ => (limits.body_bytes, "body_bytes"),
    };
    let setting = Some(setting);
    let limit = Limit { bytes, setting };
    let mut stream = BodyStream::new(payload, declared_length(request), limit, api.body_stall)?;
    match &media {
        MediaType::Multipart(multipart) => {
            return multipart::read(multipart, stream, intake, uploads).await;
        }
        // What comes in pieces may be nothing, which needs no type.
        MediaType::Other(name) => {
            let first = stream.next().await;
            return first.map_or(Ok(()), |_| Err(unsupported(name)));
        }
        MediaType::Form(_) | MediaType::Json(_) => {}
    }
    let body = whole(stream, &mut intake.memory).await?;
    // The pairs take about as much once more.
    intake.memory.grow(body.len())?;
    match media {
        _ if Charset::UTF_8.without_mark(&body).1.trim_ascii().is_empty() => {}
        MediaType::Json(charset) => read_json(api, charset.or_utf_8(), &body, intake)?,
        MediaType::Form(charset) if is_json_after_all(&body) => {
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
pub(super) fn query(api: &Api, request: &HttpRequest) -> Result<Pairs, ApiError> {
    let mut query = Intake::new(api, Pairs::default());
    let text = request.query_string().as_bytes();
    let pairs = form::pairs(text, Charset::UTF_8, api.limits.pairs);
    let invalid = |reason| {
        ApiError::InvalidParameter(format!("{reason}; the query must be percent-encoded UTF-8"))
    };
    for (name, value) in pairs.map_err(invalid)? {
        query.text(name, value)?;
    }
    Ok(query.finish().0)
}

/// Some deployed clients label JSON as a form. No name of a form begins with a bare brace.
fn is_json_after_all(body: &[u8]) -> bool {
    let (_, body) = Charset::UTF_8.without_mark(body);
    body.trim_ascii_start().starts_with(b"{")
}

fn read_form(charset: &Label, body: &[u8], intake: &mut Intake<'_>) -> Result<(), ApiError> {
    let (charset, form) = charset.known()?.without_mark(body);
    let charset = match form::charset_field(form) {
        Label::Absent => charset,
        Label::Known(charset) => charset,
        Label::Unknown(label) => {
            let message = format!("_charset_ is {label:?}, which is no known charset");
            return Err(ApiError::InvalidBody(message));
        }
    };
    let pairs = form::pairs(form, charset, intake.limits.pairs);
    for (name, value) in pairs.map_err(|reason| invalid_text(&reason))? {
        if name != form::CHARSET_FIELD {
            intake.text(name, value)?;
        }
    }
    Ok(())
}

/// The error for text that is not valid in its charset.
fn invalid_text(reason: &str) -> ApiError {
    ApiError::InvalidBody(format!("{reason}; {}", charset::ALLOWED))
}

fn read_json(
    api: &Api,
    charset: Charset,
    body: &[u8],
    intake: &mut Intake<'_>,
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
async fn whole(mut stream: BodyStream, memory: &mut Reservation) -> Result<Bytes, ApiError> {
    let max_bytes = stream.limit();
    let mut body = Bytes::new();
    let mut joined = Vec::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| stream.fault().explain(&error))?;
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

fn unsupported(name: &str) -> ApiError {
    ApiError::UnsupportedMediaType(format!(
        "a body of type {name:?} cannot be read, only multipart/form-data, \
         application/x-www-form-urlencoded and application/json"
    ))
}
