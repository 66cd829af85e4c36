//! Header values of the form `value; name=token; name="quoted string"`.

use std::fmt;

use percent_encoding::percent_decode;

use super::charset::{Charset, CharsetLabel};

/// A header value with its parameters, in their order.
#[derive(Debug)]
pub(super) struct HeaderValue<'a> {
    /// The value without its parameters.
    pub(super) essence: &'a [u8],
    parameters: Vec<Parameter<'a>>,
}

/// A parameter as it was sent.
#[derive(Debug)]
struct Parameter<'a> {
    name: &'a [u8],
    value: Option<Raw<'a>>,
}

/// The value of a parameter, without the enclosing quotes.
#[derive(Debug, Clone, Copy)]
struct Raw<'a> {
    bytes: &'a [u8],
    quoted: bool,
    escapes: Escapes,
}

/// The meaning of a backslash in a quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// It escapes the next character, as in the quoted strings of HTTP.
    All,
    /// It escapes a quote. Other backslashes are literal, unless the value has an escaped quote.
    Quotes,
    /// It is literal.
    None,
}

/// Text from the headers of a part, whose charset may be unknown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct EncodedText {
    /// The text in its charset.
    pub(super) bytes: Vec<u8>,
    charset: Option<Charset>,
}

impl<'a> HeaderValue<'a> {
    /// Parses the value of `Content-Type`.
    ///
    /// # Errors
    /// A description of the error.
    pub(super) fn parse(value: &'a [u8]) -> Result<Self, String> {
        Self::parse_with(value, Escapes::All)
    }

    /// Parses the value of `Content-Disposition` in a form. Browsers do not escape backslashes there and send quotes
    /// as `%22`; older clients escape quotes. A backslash before a quote therefore escapes it if the value is valid
    /// that way, with every parameter complete.
    ///
    /// # Errors
    /// A description of the error.
    pub(super) fn parse_form_data(value: &'a [u8]) -> Result<Self, String> {
        let parse = |escapes| Self::parse_with(value, escapes)?.reject_fragments(escapes);
        parse(Escapes::Quotes).or_else(|error| parse(Escapes::None).or(Err(error)))
    }

    /// Rejects parameters without a value and, unless backslashes are literal, quotes in an unquoted value: they mean
    /// that a closing quote was taken for an escaped one, as in `name="\"; filename=";"`.
    fn reject_fragments(self, escapes: Escapes) -> Result<Self, String> {
        for parameter in &self.parameters {
            let name = display_bytes(parameter.name);
            let value = parameter
                .value
                .ok_or_else(|| format!("{name} has no value"))?;
            let is_fragment = !value.quoted && value.bytes.contains(&b'"');
            if is_fragment && escapes != Escapes::None {
                return Err(format!("the quotes in the value of {name} are not closed"));
            }
        }
        Ok(self)
    }

    fn parse_with(value: &'a [u8], escapes: Escapes) -> Result<Self, String> {
        let (essence, mut rest) = split_at_separator(value, b';');
        let mut parameters = Vec::new();
        while let Some(text) = rest {
            let text = text.trim_ascii_start();
            let end = text.iter().position(|byte| matches!(byte, b'=' | b';'));
            let (name, after) = text.split_at(end.unwrap_or(text.len()));
            let Some(after) = after.strip_prefix(b"=") else {
                if !name.trim_ascii().is_empty() {
                    let (name, value) = (name.trim_ascii(), None);
                    parameters.push(Parameter { name, value });
                }
                rest = after.get(1..);
                continue;
            };
            let after = after.trim_ascii_start();
            let (bytes, quoted);
            if let Some(text) = after.strip_prefix(b"\"") {
                let end = quoted_length(text, escapes).ok_or_else(|| {
                    format!("the quotes around {} are not closed", display_bytes(name))
                })?;
                (bytes, quoted) = (text.get(..end).unwrap_or_default(), true);
                let (junk, more) =
                    split_at_separator(text.get(end + 1..).unwrap_or_default(), b';');
                if !junk.is_empty() {
                    let message = "only \";\" is allowed between parameters";
                    return Err(format!(
                        "{} follows {}: {message}",
                        display_bytes(junk),
                        display_bytes(name)
                    ));
                }
                rest = more;
            } else {
                (bytes, rest) = split_at_separator(after, b';');
                quoted = false;
            }
            let value = Some(Raw {
                bytes,
                quoted,
                escapes,
            });
            let name = name.trim_ascii();
            parameters.push(Parameter { name, value });
        }
        Ok(Self {
            essence: essence.trim_ascii(),
            parameters,
        })
    }

    /// The bytes of the parameter `name`.
    ///
    /// # Errors
    /// A description of the error if it occurs twice with different values.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let mut values = self.raw(name.as_bytes()).map(Raw::unescape);
        let first = values.next();
        match (&first, values.find(|value| Some(value) != first.as_ref())) {
            (Some(_), Some(_)) => Err(format!("{name} occurs twice, with different values")),
            _ => Ok(first),
        }
    }

    /// The parameter `name` of a form, or `name*` (RFC 8187) if there is one.
    ///
    /// # Errors
    /// A description of the error if it is malformed, or occurs twice with different values.
    pub(super) fn form_text(&self, name: &str) -> Result<Option<EncodedText>, String> {
        let is_continuation = |parameter: &Parameter<'_>| {
            let start = parameter.name.get(..=name.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(format!("{name}*").as_bytes())
                && parameter.name.len() > start.len()
        };
        if let Some(parameter) = self
            .parameters
            .iter()
            .find(|parameter| is_continuation(parameter))
        {
            let found = display_bytes(parameter.name);
            return Err(format!("{found} is not supported, only {name} and {name}*"));
        }
        if let Some(extended) = self.parameter(&format!("{name}*"))? {
            return EncodedText::parse_extended(&extended)
                .map(Some)
                .map_err(|reason| format!("{name}*: {reason}"));
        }
        let mut values = self.raw(name.as_bytes()).map(Raw::decode_form_escapes);
        let first = values.next();
        if first.is_some() && values.any(|value| Some(value) != first) {
            return Err(format!("{name} occurs twice, with different values"));
        }
        Ok(first.map(|bytes| EncodedText {
            bytes,
            charset: None,
        }))
    }

    fn raw(&self, name: &[u8]) -> impl Iterator<Item = Raw<'a>> {
        let named = self.parameters.iter();
        let named = named.filter(move |parameter| parameter.name.eq_ignore_ascii_case(name));
        named.filter_map(|parameter| parameter.value)
    }
}

impl Raw<'_> {
    fn unescape(self) -> Vec<u8> {
        let has_escapes = match self.escapes {
            Escapes::All => self.quoted,
            Escapes::Quotes => self.quoted && has_escaped_quote(self.bytes),
            Escapes::None => false,
        };
        if !has_escapes {
            return self.bytes.to_vec();
        }
        let (mut value, mut bytes) = (Vec::with_capacity(self.bytes.len()), self.bytes.iter());
        while let Some(byte) = bytes.next() {
            let next = bytes.as_slice().first();
            let is_escape = match self.escapes {
                Escapes::All => true,
                Escapes::Quotes | Escapes::None => matches!(next, Some(b'"' | b'\\')),
            };
            if *byte == b'\\' && is_escape {
                value.extend(bytes.next());
            } else {
                value.push(*byte);
            }
        }
        value
    }

    /// Like [`Raw::unescape`], and decodes the three escapes that browsers use in forms.
    fn decode_form_escapes(self) -> Vec<u8> {
        let bytes = self.unescape();
        let (mut value, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
        while let Some((first, after)) = rest.split_first() {
            let (byte, length) = match rest.get(..3) {
                Some(b"%22") => (b'"', 3),
                Some(b"%0D") => (b'\r', 3),
                Some(b"%0A") => (b'\n', 3),
                _ => (*first, 1),
            };
            value.push(byte);
            rest = after.get(length - 1..).unwrap_or_default();
        }
        value
    }
}

impl EncodedText {
    /// Parses `charset'language'percent-encoded`.
    fn parse_extended(value: &[u8]) -> Result<Self, String> {
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
    pub(super) fn decode(&self, default: Charset) -> Result<String, String> {
        let charset = self.charset.unwrap_or(default.for_part_headers());
        Ok(charset.decode(&self.bytes)?.into_owned())
    }
}

impl fmt::Debug for EncodedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_bytes(&self.bytes))
    }
}

/// The text before the first `separator`, trimmed, and the text after it.
fn split_at_separator(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (
            text.get(..at).unwrap_or_default().trim_ascii(),
            text.get(at + 1..),
        ),
        None => (text.trim_ascii(), None),
    }
}

/// The length of the text before its closing quote.
fn quoted_length(text: &[u8], escapes: Escapes) -> Option<usize> {
    let mut at = 0;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (b'"', _) => return Some(at),
            (b'\\', Some(_)) if escapes == Escapes::All => at += 2,
            (b'\\', Some(b'"' | b'\\')) if escapes == Escapes::Quotes => at += 2,
            _ => at += 1,
        }
    }
}

/// Whether a quoted text has an escaped quote.
fn has_escaped_quote(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair == b"\\\"")
}

/// Formats bytes for an error message: quoted, and truncated if they are long.
pub(super) fn display_bytes(bytes: &[u8]) -> String {
    const MAX_DISPLAY_BYTES: usize = 60;
    let start = bytes.get(..MAX_DISPLAY_BYTES).unwrap_or(bytes);
    let more = if start.len() < bytes.len() { "..." } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_text(value: &str) -> String {
        let header = HeaderValue::parse_form_data(value.as_bytes()).unwrap();
        let text = header.form_text("filename").unwrap().unwrap();
        text.decode(Charset::UTF_8).unwrap()
    }

    #[test]
    fn backslashes_are_literal_unless_quotes_are_escaped() {
        for (sent, expected) in [
            (r#""c\d""#, r"c\d"),
            (r#""C:\tmp\x""#, r"C:\tmp\x"),
            (r#""C:\tmp\""#, r"C:\tmp\"),
            (r#""C:\tmp\"; x="y""#, r"C:\tmp\"),
            (r#""\"; name=";""#, r"\"),
            (r#""a\"; name=";x=""#, r"a\"),
            (r#""\"; name="\""#, r"\"),
            (r#""\\server\share""#, r"\\server\share"),
            (r#""\\server\share\""#, r"\\server\share\"),
            (r#""a\"b""#, r#"a"b"#),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (r#""say \"hi\"""#, r#"say "hi""#),
            (r#""x\";y""#, r#"x";y"#),
            (r#""a%22b%0D%0Ac""#, "a\"b\r\nc"),
            (r#""100%; a=b""#, "100%; a=b"),
            (r#""%5C%2f%""#, "%5C%2f%"),
            (r"a\b", r"a\b"),
            (r#""""#, ""),
            ("", ""),
        ] {
            let value = format!("form-data; filename={sent}");
            assert_eq!(form_text(&value), expected, "{value}");
        }
    }

    #[test]
    fn extended_parameters_are_decoded_in_their_charset() {
        for (sent, expected) in [
            ("UTF-8''%e2%82%ac%20rates", "\u{20ac} rates"),
            ("iso-8859-1'en'%A3%20rates", "\u{a3} rates"),
            ("\"UTF-8''a%22b\"", "a\"b"),
            ("utf-8''", ""),
        ] {
            let value = format!("form-data; filename=\"x\"; filename*={sent}");
            assert_eq!(form_text(&value), expected, "{value}");
        }
    }

    #[test]
    fn malformed_values_are_rejected() {
        for value in [
            "form-data; filename=\"a",
            "form-data; filename=\"a\"b",
            "form-data; filename=\"a\" filename2=\"b\"",
            "form-data; filename=a; filename=b",
            "form-data; filename*=a.txt",
            "form-data; filename*=klingon''a",
            "form-data; filename*=''a",
            "form-data; filename*0=\"a\"; filename*1=\"b\"",
            "form-data; filename*0*=UTF-8''a",
        ] {
            let text = HeaderValue::parse_form_data(value.as_bytes())
                .and_then(|header| header.form_text("filename"));
            assert!(text.is_err(), "{value}: {text:?}");
        }
    }

    #[test]
    fn parameter_format_variants_are_accepted() {
        for value in [
            "multipart/form-data ; boundary=----=_Part_0",
            "multipart/form-data;BOUNDARY=\"----=_Part_0\" ; x",
            "multipart/form-data; a=\";boundary=no\"; boundary = ----=_Part_0 ;",
            "multipart/form-data; boundary=\"----=\\_Part_0\"",
        ] {
            let header = HeaderValue::parse(value.as_bytes()).unwrap();
            assert_eq!(header.essence, b"multipart/form-data");
            let boundary = header.parameter("boundary").unwrap();
            assert_eq!(boundary.unwrap(), b"----=_Part_0", "{value}");
        }
    }
}
