//! The headers of a part: its name, its content type, and whether it is a file.

use super::super::{
    charset::{Charset, CharsetLabel},
    header_value::{EncodedText, HeaderValue, display_bytes},
};

/// The maximum length of a file name and of a content type. Both become headers of the download.
pub(super) const MAX_METADATA_BYTES: usize = 255;

/// The relevant headers of a part.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: EncodedText,
    pub(super) file_name: Option<EncodedText>,
    pub(super) content_type: ContentType,
}

/// The content type of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ContentType {
    Absent,
    /// A malformed type.
    Unreadable(String),
    /// `text/...`, and its charset.
    Text(String, CharsetLabel),
    /// `multipart/...`
    Multipart(String),
    Other(String),
}

impl Head {
    /// Parses header lines. Of other headers only the name is validated.
    ///
    /// # Errors
    /// A description of the error.
    pub(super) fn parse(head: &[u8]) -> Result<Self, String> {
        let lines = unfold_lines(head)?;
        let mut disposition = None;
        let mut content_type = None;
        for (number, line) in (1..).zip(&lines) {
            let (name, value) = parse_header(line)
                .map_err(|reason| format!("line {number} of its headers {reason}"))?;
            let slot = if name.eq_ignore_ascii_case(b"content-disposition") {
                &mut disposition
            } else if name.eq_ignore_ascii_case(b"content-type") {
                &mut content_type
            } else {
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(format!("its headers have {} twice", display_bytes(name)));
            }
        }
        let disposition = disposition.ok_or(
            "the header Content-Disposition: form-data; name=\"...\" is missing".to_owned(),
        )?;
        let in_disposition = |reason| format!("Content-Disposition: {reason}");
        let disposition = HeaderValue::parse_form_data(disposition).map_err(in_disposition)?;
        if !disposition.essence.eq_ignore_ascii_case(b"form-data") {
            let value = display_bytes(disposition.essence);
            return Err(format!(
                "Content-Disposition is {value}; expected form-data"
            ));
        }
        let name = disposition.form_text("name").map_err(in_disposition)?;
        let name = name.ok_or("Content-Disposition has no parameter name".to_owned())?;
        let file_name = disposition.form_text("filename").map_err(in_disposition)?;
        let content_type = ContentType::parse(content_type)?;
        let head = Self {
            name,
            file_name,
            content_type,
        };
        head.check()?;
        Ok(head)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(name) = &self.file_name {
            check_file_name(name.bytes.len())?;
        } else if let ContentType::Multipart(name) = &self.content_type {
            return Err(format!(
                "its Content-Type is {name}: nested multipart bodies are not supported, send each file in its own part"
            ));
        } else if let ContentType::Unreadable(name) = &self.content_type {
            return Err(format!("Content-Type is {name}; expected type/subtype"));
        }
        Ok(())
    }

    /// The bytes that are kept in memory.
    pub(super) fn metadata_bytes(&self) -> usize {
        let file_name = self.file_name.as_ref();
        self.name.bytes.len() + file_name.map_or(0, |name| name.bytes.len())
    }

    /// Whether the part is a file: it has a file name or a type other than text.
    pub(super) fn is_file(&self) -> bool {
        self.file_name.is_some() || matches!(self.content_type, ContentType::Other(_))
    }
}

impl ContentType {
    fn parse(value: Option<&[u8]>) -> Result<Self, String> {
        let value = value.unwrap_or_default();
        if value.is_empty() {
            return Ok(Self::Absent);
        }
        if value.len() > MAX_METADATA_BYTES {
            let bytes = value.len();
            return Err(format!(
                "Content-Type has {bytes} bytes; at most {MAX_METADATA_BYTES} are allowed"
            ));
        }
        let unreadable = Ok(Self::Unreadable(display_bytes(value)));
        let Some(text) = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.is_ascii())
        else {
            return unreadable;
        };
        let Ok(header) = HeaderValue::parse(value) else {
            return unreadable;
        };
        let mut kinds = header.essence.split(|byte| *byte == b'/');
        match (kinds.next(), kinds.next(), kinds.next()) {
            (Some(kind), Some(subtype), None) if is_token(kind) && is_token(subtype) => {
                Ok(if kind.eq_ignore_ascii_case(b"text") {
                    Self::Text(text.to_owned(), Charset::from_content_type(text))
                } else if kind.eq_ignore_ascii_case(b"multipart") {
                    Self::Multipart(text.to_owned())
                } else {
                    Self::Other(text.to_owned())
                })
            }
            _ => unreadable,
        }
    }
}

/// Checks the length of a file name.
pub(super) fn check_file_name(bytes: usize) -> Result<(), String> {
    if bytes > MAX_METADATA_BYTES {
        return Err(format!(
            "the file name has {bytes} bytes; at most {MAX_METADATA_BYTES} are allowed"
        ));
    }
    Ok(())
}

/// Splits the headers into lines and joins continuation lines, which begin with white space.
fn unfold_lines(head: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut rest = head;
    while !rest.is_empty() {
        let end = memchr::memmem::find(rest, b"\r\n");
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(2..).unwrap_or_default();
        let number = lines.len() + 1;
        if let Some(byte) = line
            .iter()
            .find(|byte| byte.is_ascii_control() && **byte != b'\t')
        {
            return Err(match byte {
                b'\n' | b'\r' => format!(
                    "line {number} of its headers has a CR or LF that is not part of a line break (CR LF); in names \
                     write them as %0D and %0A"
                ),
                byte => format!(
                    "line {number} of its headers has a control character (0x{byte:02x}), which is not allowed in \
                     names there; use a JSON or form body"
                ),
            });
        }
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend(line),
            _ => lines.push(line.to_vec()),
        }
    }
    Ok(lines)
}

fn parse_header(line: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let colon = line.iter().position(|byte| *byte == b':');
    let name = line
        .get(..colon.unwrap_or(0))
        .unwrap_or_default()
        .trim_ascii_end();
    if !is_token(name) {
        return Err(format!("is {}; expected Name: value", display_bytes(line)));
    }
    let value = line.get(colon.map_or(0, |colon| colon + 1)..);
    Ok((name, value.unwrap_or_default().trim_ascii()))
}

/// Whether a text is a token (RFC 9110 5.6.2).
fn is_token(text: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(allowed)
}
