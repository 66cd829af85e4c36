//! Encoding of names in keys, and of prefixes in patterns.

use std::borrow::Cow;

/// Encodes a name as a hash tag. Generated ids remain as they are. Names from clients may contain a
/// brace, which would end the tag early, or be empty, which is no tag: related keys would then not share
/// a slot.
pub(super) fn encode_tag(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        return Cow::Borrowed("%");
    }
    if name.contains(['%', '}']) {
        return Cow::Owned(name.replace('%', "%25").replace('}', "%7D"));
    }
    Cow::Borrowed(name)
}

/// Decodes a hash tag.
pub(super) fn decode_tag(tag: &str) -> String {
    if tag == "%" {
        return String::new();
    }
    tag.replace("%7D", "}").replace("%25", "%")
}

/// A `SCAN` pattern of exactly this text.
pub(super) fn escape_pattern(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
