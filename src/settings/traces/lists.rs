//! Lists in the syntax of OpenTelemetry variables.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Comma-separated names, converted to lower case.
pub(super) fn parse_list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_ascii_lowercase).collect()
}

/// `name=value,name=value`, both percent-encoded; `None` if any of them is invalid, because the
/// specification requires to ignore the whole list then.
pub(super) fn parse_key_values(text: &str) -> Option<Vec<(String, String)>> {
    let entries = text.split(',').map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty()).map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let decode = |text: &str| {
            let text = percent_decode_str(text.trim()).decode_utf8();
            text.ok().map(Cow::into_owned)
        };
        let name = decode(name).filter(|name| !name.is_empty());
        Some((name?, decode(value)?))
    });
    entries.collect()
}
