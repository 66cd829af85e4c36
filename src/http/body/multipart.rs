//! `multipart/form-data`: strings and files.
//!
//! Files are streamed to the store. Names and strings are decoded after the last part, because the part `_charset_`
//! (RFC 7578 section 4.6), which sets their charset, may be at any position.

use actix_web::web::Bytes;
use futures_util::Stream;

use self::{
    head::{ContentType, Head, check_file_name},
    reader::Reader,
};
use super::{
    charset::{ALLOWED, Charset, CharsetLabel},
    collector::{FieldCollector, too_large},
    content_type::MultipartType,
    form::CHARSET_FIELD,
    header_value::EncodedText,
    limited_stream::LimitedStream,
};
use crate::{
    http::ApiError,
    model::Binary,
    service::{FieldValue, Uploads},
};

mod head;
mod reader;
#[cfg(test)]
mod tests;

/// The content type of a file whose part has none.
const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// A part before its text is decoded.
struct Part {
    number: usize,
    name: EncodedText,
    value: PartValue,
}

enum PartValue {
    Text {
        bytes: Vec<u8>,
        charset: Option<Charset>,
    },
    File {
        binary: Binary,
        file_name: Option<EncodedText>,
    },
}

/// Adds all parts to the fields.
///
/// # Errors
/// [`ApiError::InvalidBody`] if the body is malformed or incomplete.
pub(super) async fn read(
    multipart: &MultipartType,
    stream: LimitedStream,
    collector: &mut FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    let mut default = multipart.charset.require()?;
    let failure = stream.failure();
    let mut reader = Reader::new(stream, failure, &multipart.boundary);
    let mut parts = Vec::new();
    while let Some(head) = reader.next_head().await? {
        let head = Head::parse(&head).map_err(|reason| reader.invalid_part(reason))?;
        collector.count_field()?;
        collector.memory.grow(head.metadata_bytes())?;
        let number = reader.part_number();
        let name = head.name.clone();
        if head.is_file() && name.bytes.starts_with(b"_") {
            // A file under the name of a parameter is ignored.
            while reader.next_bytes().await?.is_some() {}
        } else if head.is_file() {
            if let Some(value) = read_file_part(head, &mut reader, collector, uploads).await? {
                parts.push(Part {
                    number,
                    name,
                    value,
                });
            }
        } else if name.bytes == CHARSET_FIELD.as_bytes() {
            let label = read_text_part(&head, &mut reader, collector).await?;
            default = charset_from_field(&label, default)
                .map_err(|reason| reader.invalid_part(reason))?;
        } else {
            let bytes = read_text_part(&head, &mut reader, collector).await?;
            let charset = match &head.content_type {
                ContentType::Text(_, CharsetLabel::Absent) => None,
                ContentType::Text(_, label) => Some(label.require()?),
                _ => None,
            };
            let value = PartValue::Text { bytes, charset };
            parts.push(Part {
                number,
                name,
                value,
            });
        }
    }
    for part in parts {
        let number = part.number;
        let (name, value) = part.decode(default).map_err(|reason| {
            ApiError::InvalidBody(format!("part {number} of the body: {reason}"))
        })?;
        if let FieldValue::Text(text) = &value {
            collector.check_string_length(&name, text.len())?;
        }
        collector.add_counted(name, value);
    }
    Ok(())
}

impl Part {
    fn decode(self, default: Charset) -> Result<(String, FieldValue), String> {
        let name = self
            .name
            .decode(default)
            .map_err(|reason| format!("the name: {reason}; {ALLOWED}"))?;
        match self.value {
            PartValue::Text { bytes, charset } => {
                let text = charset.unwrap_or(default).decode_owned(bytes);
                let text =
                    text.map_err(|reason| format!("the value of {name:?}: {reason}; {ALLOWED}"))?;
                Ok((name, FieldValue::Text(text)))
            }
            PartValue::File {
                mut binary,
                file_name,
            } => {
                if let Some(file_name) = file_name {
                    let file_name = file_name.decode(default);
                    let file_name = file_name
                        .map_err(|reason| format!("the file name: {reason}; {ALLOWED}"))?;
                    check_file_name(file_name.len())?;
                    binary.file_name = Some(file_name);
                }
                Ok((name, FieldValue::Binary(binary)))
            }
        }
    }
}

/// The charset in the part `_charset_`; `default` if it is empty.
fn charset_from_field(label: &[u8], default: Charset) -> Result<Charset, String> {
    match Charset::from_label(&String::from_utf8_lossy(label)) {
        CharsetLabel::Known(charset) => Ok(charset),
        CharsetLabel::Absent => Ok(default),
        CharsetLabel::Unknown(label) => Err(format!(
            "_charset_ is {label:?}, which is not a known charset"
        )),
    }
}

async fn read_text_part<S>(
    head: &Head,
    reader: &mut Reader<S>,
    collector: &mut FieldCollector<'_>,
) -> Result<Vec<u8>, ApiError>
where
    S: Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next_bytes().await? {
        collector.check_string_length(&head.name, bytes.len() + chunk.len())?;
        collector.count_string_bytes(chunk.len())?;
        let max_bytes = collector.limits.string_bytes;
        collector
            .memory
            .grow_buffer(&mut bytes, chunk.len(), max_bytes)?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Streams a file to the store. `None` if the user of a form selected no file: the part has no file name and is empty.
async fn read_file_part<S>(
    head: Head,
    reader: &mut Reader<S>,
    collector: &FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<Option<PartValue>, ApiError>
where
    S: Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
{
    let limit = collector.limits.binary_bytes;
    let first = reader.next_bytes().await?;
    let is_unnamed = head
        .file_name
        .as_ref()
        .is_some_and(|name| name.bytes.is_empty());
    if first.is_none() && is_unnamed {
        return Ok(None);
    }
    let mut upload = uploads.begin().await?;
    let mut next = first;
    while let Some(bytes) = next {
        if upload.size() + bytes.len() as u64 > limit as u64 {
            let description = format!("the file {:?} is over", head.name);
            return Err(too_large(&description, limit, " bytes", "binary_bytes"));
        }
        upload.push(&bytes).await?;
        next = reader.next_bytes().await?;
    }
    let content_type = match head.content_type {
        ContentType::Other(name) | ContentType::Multipart(name) | ContentType::Text(name, _) => {
            name
        }
        ContentType::Absent | ContentType::Unreadable(_) => DEFAULT_CONTENT_TYPE.to_owned(),
    };
    let binary = upload.finish(content_type, None).await?;
    let file_name = head.file_name;
    Ok(Some(PartValue::File { binary, file_name }))
}
