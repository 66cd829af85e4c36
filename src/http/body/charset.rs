//! Charsets of text.

use std::borrow::Cow;

use encoding_rs::Encoding;

use crate::http::ApiError;

/// The allowed charsets, for errors about text that is not valid in its charset.
pub(super) const ALLOWED: &str =
    "text must be UTF-8, or in the charset that Content-Type or the field _charset_ names";

/// A supported charset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charset(&'static Encoding);

/// The `charset` parameter of a content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CharsetLabel {
    /// There is none.
    Absent,
    /// A supported charset.
    Known(Charset),
    /// An unknown charset.
    Unknown(String),
}

impl Charset {
    /// The default charset.
    pub(super) const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// The charset with this label.
    pub(super) fn from_label(label: &str) -> CharsetLabel {
        let label = label.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\'');
        match Encoding::for_label(label.as_bytes()) {
            _ if label.is_empty() => CharsetLabel::Absent,
            Some(encoding) => CharsetLabel::Known(Self(encoding)),
            None => CharsetLabel::Unknown(label.to_owned()),
        }
    }

    /// The charset of the headers of a part: it must be ASCII-compatible.
    pub(super) fn for_part_headers(self) -> Self {
        if self.0.is_ascii_compatible() {
            self
        } else {
            Self::UTF_8
        }
    }

    /// Decodes a name or a value. A byte order mark is part of the text.
    ///
    /// # Errors
    /// A description of the error.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, String> {
        let (text, malformed) = self.0.decode_without_bom_handling(bytes);
        if malformed {
            return Err(self.invalid(bytes));
        }
        Ok(text)
    }

    /// The message for bytes that are not valid in this charset.
    fn invalid(self, bytes: &[u8]) -> String {
        match str::from_utf8(bytes) {
            Err(error) if self == Self::UTF_8 => {
                let offset = error.valid_up_to();
                format!("the text is not valid UTF-8 at byte {offset}")
            }
            _ => format!("the text is not valid {}", self.0.name()),
        }
    }

    /// Removes a UTF-8 byte order mark from the start of a form, which then is in UTF-8.
    pub(super) fn strip_bom(self, form: &[u8]) -> (Self, &[u8]) {
        match form.strip_prefix(b"\xef\xbb\xbf") {
            Some(form) => (Self::UTF_8, form),
            None => (self, form),
        }
    }

    /// Like [`Charset::decode`], without a copy for UTF-8.
    pub(super) fn decode_owned(self, bytes: Vec<u8>) -> Result<String, String> {
        if self == Self::UTF_8 {
            return String::from_utf8(bytes).map_err(|error| self.invalid(error.as_bytes()));
        }
        self.decode(&bytes).map(Cow::into_owned)
    }

    /// Like [`Charset::decode`], for a whole document: a byte order mark overrides the charset and is not part of the
    /// text.
    pub(super) fn decode_document(self, bytes: &[u8]) -> Result<Cow<'_, str>, String> {
        match Encoding::for_bom(bytes) {
            Some((encoding, mark)) => Self(encoding).decode(bytes.get(mark..).unwrap_or_default()),
            None => self.decode(bytes),
        }
    }
}

impl CharsetLabel {
    /// The charset of JSON. JSON is UTF-8 by definition, so an unknown label is ignored.
    pub(super) fn or_utf_8(&self) -> Charset {
        match self {
            Self::Known(charset) => *charset,
            Self::Absent | Self::Unknown(_) => Charset::UTF_8,
        }
    }

    /// The charset, UTF-8 by default.
    ///
    /// # Errors
    /// [`ApiError::UnsupportedMediaType`] if it is unknown.
    pub(super) fn require(&self) -> Result<Charset, ApiError> {
        match self {
            Self::Unknown(label) => Err(ApiError::UnsupportedMediaType(format!(
                "the charset {label:?} is not supported"
            ))),
            Self::Known(_) | Self::Absent => Ok(self.or_utf_8()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_in_its_charset() {
        let latin = Charset::from_content_type("text/plain; charset=ISO-8859-1").or_utf_8();
        assert_eq!(latin.decode(b"caf\xe9").unwrap(), "café");
        assert_eq!(Charset::UTF_8.decode("café".as_bytes()).unwrap(), "café");
        assert_eq!(latin.decode(b"\xff\xfex").unwrap(), "\u{ff}\u{fe}x");
        assert_eq!(
            Charset::UTF_8.decode(b"\xef\xbb\xbfx").unwrap(),
            "\u{feff}x"
        );
        assert_eq!(latin.decode_document(b"\xef\xbb\xbfx").unwrap(), "x");
        let message = Charset::UTF_8.decode(b"caf\xe9").unwrap_err();
        assert_eq!(message, "the text is not valid UTF-8 at byte 3");
        let message = Charset::UTF_8
            .decode_owned(b"caf\xe9".to_vec())
            .unwrap_err();
        assert_eq!(message, "the text is not valid UTF-8 at byte 3");
    }

    #[test]
    fn charset_labels_are_parsed() {
        for value in [
            "a/b;Charset=UTF-8",
            "a/b; x=y; charset=\"utf8\"",
            "a/b ; charset= utf-8 ",
        ] {
            assert!(
                matches!(Charset::from_content_type(value), CharsetLabel::Known(_)),
                "{value}"
            );
        }
        assert!(matches!(
            Charset::from_content_type("a/b"),
            CharsetLabel::Absent
        ));
        assert!(
            Charset::from_content_type("a/b;charset=klingon")
                .require()
                .is_err()
        );
    }
}
