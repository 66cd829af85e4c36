//! Header values of the form `value; name=token; name="quoted string"`.

pub(super) use self::encoded_text::EncodedText;
use self::raw::{Escapes, Raw, quoted_length};

mod encoded_text;
mod raw;
#[cfg(test)]
mod tests;

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
        Ok(first.map(EncodedText::new))
    }

    fn raw(&self, name: &[u8]) -> impl Iterator<Item = Raw<'a>> {
        let named = self.parameters.iter();
        let named = named.filter(move |parameter| parameter.name.eq_ignore_ascii_case(name));
        named.filter_map(|parameter| parameter.value)
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

/// Formats bytes for an error message: quoted, and truncated if they are long.
pub(super) fn display_bytes(bytes: &[u8]) -> String {
    const MAX_DISPLAY_BYTES: usize = 60;
    let start = bytes.get(..MAX_DISPLAY_BYTES).unwrap_or(bytes);
    let more = if start.len() < bytes.len() { "..." } else { "" };
    format!("{:?}{more}", String::from_utf8_lossy(start))
}
