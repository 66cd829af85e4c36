//! Lists as the variables of OpenTelemetry have them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Names between commas, in small letters.
pub(super) fn parse_list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_ascii_lowercase).collect()
}

/// `name=value,name=value`, both percent-encoded; `None` where one is wrong, for then all of it is to be
/// dropped.
pub(super) fn parse_key_values(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split(',').map(str::trim);
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let decoded = |text: &str| {
            let text = percent_decode_str(text.trim()).decode_utf8();
            text.ok().map(Cow::into_owned)
        };
        let name = decoded(name).filter(|name| !name.is_empty());
        Some((name?, decoded(value)?))
    });
    pairs.collect()
}
