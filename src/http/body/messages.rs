//! Bodies of `CometD`: JSON of any content type, or forms with fields `message`.

use actix_web::{HttpRequest, web::Payload};

use super::{
    charset::Charset,
    content_type::{self, MediaType},
    declared_length, form,
    limited_stream::{BodyLimit, LimitedStream},
    read_to_end,
};
use crate::http::{ApiError, AppState};

/// The maximum size of a body, and of a frame of a WebSocket.
pub(in crate::http) const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The maximum number of fields of a form.
const MAX_FIELDS: usize = 100;
/// The field of a form with a message or an array of messages.
const MESSAGE: &str = "message";

/// Reads the texts with the messages of a request.
///
/// # Errors
/// [`ApiError::TooLarge`], [`ApiError::InvalidBody`], [`ApiError::UnsupportedContentEncoding`],
/// [`ApiError::UnsupportedMediaType`] for a header that is not text.
pub(in crate::http) async fn read_messages(
    state: &AppState,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Vec<String>, ApiError> {
    content_type::check_content_encoding(request)?;
    let is_form = matches!(MediaType::from_request(request)?, MediaType::Form(_));
    let limit = BodyLimit {
        bytes: MAX_MESSAGE_BYTES,
        setting: None,
    };
    let stream = LimitedStream::new(
        payload,
        declared_length(request),
        limit,
        state.body_idle_timeout,
    )?;
    // Released when the messages are read: a connect waits much longer.
    let mut memory = state.services.memory().requests.reservation();
    let body = read_to_end(stream, &mut memory).await?;
    let is_json = matches!(body.trim_ascii_start().first(), Some(b'[' | b'{'));
    if !is_form || is_json {
        let text = Charset::UTF_8.decode_document(&body);
        return Ok(vec![text.map_err(ApiError::InvalidBody)?.into_owned()]);
    }
    let fields = form::parse(&body, Charset::UTF_8, MAX_FIELDS).map_err(ApiError::InvalidBody)?;
    if fields.len() > MAX_FIELDS {
        let message = format!("the form has more than {MAX_FIELDS} fields");
        return Err(ApiError::TooLarge(message));
    }
    let messages = fields.into_iter().filter(|(name, _)| name == MESSAGE);
    Ok(messages.map(|(_, text)| text).collect())
}
