//! Values of parameters as they were sent, and the escapes in them.

/// The value of a parameter, without the enclosing quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) quoted: bool,
    pub(super) escapes: Escapes,
}

/// The meaning of a backslash in a quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// It escapes the next character, as in the quoted strings of HTTP.
    All,
    /// It escapes a quote. Other backslashes are literal, unless the value has an escaped quote.
    Quotes,
    /// It is literal.
    None,
}

impl Raw<'_> {
    pub(super) fn unescape(self) -> Vec<u8> {
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
    pub(super) fn decode_form_escapes(self) -> Vec<u8> {
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

/// The length of the text before its closing quote.
pub(super) fn quoted_length(text: &[u8], escapes: Escapes) -> Option<usize> {
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
