//! Text from the headers of a part.

use std::fmt;

use percent_encoding::percent_decode;

use super::{
    super::charset::{Charset, CharsetLabel},
    display_bytes, split_at_separator,
};

/// Text from the headers of a part, whose charset may be unknown.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::http::body) struct EncodedText {
    /// The text in its charset.
    pub(in crate::http::body) bytes: Vec<u8>,
    charset: Option<Charset>,
}

impl EncodedText {
    /// Text in an unknown charset.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            charset: None,
        }
    }

    /// Parses `charset'language'percent-encoded`.
    pub(super) fn parse_extended(value: &[u8]) -> Result<Self, String> {
        let (charset, rest) = split_at_separator(value, b'\'');
        let (_, text) = split_at_separator(rest.unwrap_or_default(), b'\'');
        let (Some(_), Some(text)) = (rest, text) else {
            return Err("expected charset'language'percent-encoded text".to_owned());
        };
        match Charset::from_label(&String::from_utf8_lossy(charset)) {
            CharsetLabel::Known(charset) => Ok(Self {
                bytes: percent_decode(text).collect(),
                charset: Some(charset),
            }),
            CharsetLabel::Absent => Err("the charset is missing".to_owned()),
            CharsetLabel::Unknown(label) => Err(format!("the charset {label:?} is not supported")),
        }
    }

    /// Decodes the text, in the charset `default` if its own is unknown.
    ///
    /// # Errors
    /// A description of the error if it is not valid in its charset.
    pub(in crate::http::body) fn decode(&self, default: Charset) -> Result<String, String> {
        let charset = self.charset.unwrap_or(default.for_part_headers());
        Ok(charset.decode(&self.bytes)?.into_owned())
    }
}

impl fmt::Debug for EncodedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_bytes(&self.bytes))
    }
}
