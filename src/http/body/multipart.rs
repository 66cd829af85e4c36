//! `multipart/form-data`: strings, and files that are streamed on as they arrive.
//!
//! A file is stored while it is read. Everything else is decoded when all parts are there, for the part
//! `_charset_` (RFC 7578 section 4.6), which may stand anywhere, names the charset of names and strings.

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
    service::{FieldValue, Uploads},
    store::Binary,
};

mod head;
mod reader;
#[cfg(test)]
mod tests;

/// The type of a file whose part does not name one.
const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// A part that was read.
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

/// Takes all parts in.
///
/// # Errors
/// [`ApiError::InvalidBody`] for what is malformed or incomplete.
pub(super) async fn read(
    multipart: &MultipartType,
    stream: LimitedStream,
    intake: &mut FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<(), ApiError> {
    let mut default = multipart.charset.require()?;
    let fault = stream.failure();
    let mut reader = Reader::new(stream, fault, &multipart.boundary);
    let mut parts = Vec::new();
    while let Some(head) = reader.next_head().await? {
        let head = Head::parse(&head).map_err(|reason| reader.invalid_part(reason))?;
        intake.count_field()?;
        intake.memory.grow(head.metadata_bytes())?;
        let number = reader.part_number();
        let name = head.name.clone();
        if head.is_file() && name.bytes.starts_with(b"_") {
            // It will not be stored, so it is not taken in.
            while reader.next_bytes().await?.is_some() {}
        } else if head.is_file() {
            if let Some(value) = read_file_part(head, &mut reader, intake, uploads).await? {
                parts.push(Part {
                    number,
                    name,
                    value,
                });
            }
        } else if name.bytes == CHARSET_FIELD.as_bytes() {
            let label = read_text_part(&head, &mut reader, intake).await?;
            default = charset_from_field(&label, default)
                .map_err(|reason| reader.invalid_part(reason))?;
        } else {
            let bytes = read_text_part(&head, &mut reader, intake).await?;
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
        let (name, entry) = part.decode(default).map_err(|reason| {
            ApiError::InvalidBody(format!("part {number} of the body: {reason}"))
        })?;
        if let FieldValue::Text(text) = &entry {
            intake.check_string_length(&name, text.len())?;
        }
        intake.add_counted(name, entry);
    }
    Ok(())
}

impl Part {
    fn decode(self, default: Charset) -> Result<(String, FieldValue), String> {
        let name = self
            .name
            .decode(default)
            .map_err(|reason| format!("its name: {reason}; {ALLOWED}"))?;
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

/// The charset that the part `_charset_` names; one without a value names none.
fn charset_from_field(label: &[u8], default: Charset) -> Result<Charset, String> {
    match Charset::from_label(&String::from_utf8_lossy(label)) {
        CharsetLabel::Known(charset) => Ok(charset),
        CharsetLabel::Absent => Ok(default),
        CharsetLabel::Unknown(label) => Err(format!(
            "_charset_ names {label:?}, which is no known charset"
        )),
    }
}

async fn read_text_part<S>(
    head: &Head,
    reader: &mut Reader<S>,
    intake: &mut FieldCollector<'_>,
) -> Result<Vec<u8>, ApiError>
where
    S: Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(more) = reader.next_bytes().await? {
        intake.check_string_length(&head.name, bytes.len() + more.len())?;
        intake.count_string_bytes(more.len())?;
        let max_bytes = intake.limits.string_bytes;
        intake
            .memory
            .grow_buffer(&mut bytes, more.len(), max_bytes)?;
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// A file, stored as it arrives; nothing where no file was chosen: it has neither a name nor content.
async fn read_file_part<S>(
    head: Head,
    reader: &mut Reader<S>,
    intake: &FieldCollector<'_>,
    uploads: &mut Uploads,
) -> Result<Option<PartValue>, ApiError>
where
    S: Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin,
{
    let limit = intake.limits.binary_bytes;
    let first = reader.next_bytes().await?;
    let unnamed = head
        .file_name
        .as_ref()
        .is_some_and(|name| name.bytes.is_empty());
    if first.is_none() && unnamed {
        return Ok(None);
    }
    let mut upload = uploads.begin().await?;
    let mut next = first;
    while let Some(bytes) = next {
        if upload.size() + bytes.len() as u64 > limit as u64 {
            let what = format!("the file {:?} is over", head.name);
            return Err(too_large(&what, limit, " bytes", "binary_bytes"));
        }
        upload.push(&bytes).await?;
        next = reader.next_bytes().await?;
    }
    let kind = match head.content_type {
        ContentType::Other(kind) | ContentType::Multipart(kind) | ContentType::Text(kind, _) => {
            kind
        }
        ContentType::Absent | ContentType::Unreadable(_) => DEFAULT_CONTENT_TYPE.to_owned(),
    };
    let binary = upload.finish(kind, None).await?;
    let file_name = head.file_name;
    Ok(Some(PartValue::File { binary, file_name }))
}
