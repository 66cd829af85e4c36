//! `application/x-www-form-urlencoded`, including the variants that deployed clients send.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use serde::de::IgnoredAny;

use super::charset::{Charset, CharsetLabel};

/// The maximum length of a field name in an error message, in bytes.
const MAX_NAME_IN_ERROR_BYTES: usize = 256;

/// Parses the fields of a form, in their order. A value that begins with `{` or `[` and is a JSON object or array is
/// not percent-encoded (it would begin with `%7B` or `%5B`), so it is taken literally up to the end of the JSON,
/// including `&`, `+` and `%`. Parsing stops after `max_fields` + 1 fields, to limit the memory.
///
/// # Errors
/// A message that names the field whose text is not valid in `charset`.
pub(super) fn parse(
    mut form: &[u8],
    charset: Charset,
    max_fields: usize,
) -> Result<Vec<(String, String)>, String> {
    let mut fields = Vec::new();
    while !form.is_empty() && fields.len() <= max_fields {
        let name_end = form.iter().position(|byte| matches!(byte, b'=' | b'&'));
        let (name, rest) = form.split_at(name_end.unwrap_or(form.len()));
        let name = decode(name, charset)
            .map_err(|reason| format!("the name of field {}: {reason}", fields.len() + 1))?;
        let Some(rest) = rest.strip_prefix(b"=") else {
            // A field without `=`. An empty one (`&&`) is ignored.
            if !name.is_empty() {
                fields.push((name, String::new()));
            }
            form = rest.get(1..).unwrap_or_default();
            continue;
        };
        let raw_json = raw_json_length(rest);
        let end = raw_json.or_else(|| rest.iter().position(|byte| *byte == b'&'));
        let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let value = match raw_json {
            Some(_) => charset.decode(value).map(Cow::into_owned),
            None => decode(value, charset),
        };
        let value = value.map_err(|reason| invalid_value(fields.len() + 1, &name, &reason))?;
        fields.push((name, value));
        form = rest.get(1..).unwrap_or_default();
    }
    Ok(fields)
}

/// The message for an invalid value. It omits a long name.
fn invalid_value(number: usize, name: &str, reason: &str) -> String {
    if name.len() > MAX_NAME_IN_ERROR_BYTES {
        return format!("the value of field {number}: {reason}");
    }
    format!("the value of field {number}, {name:?}: {reason}")
}

/// The field that contains the charset of the form (HTML). It is not user data.
pub(super) const CHARSET_FIELD: &str = "_charset_";

/// The charset in the `_charset_` field of a form.
pub(super) fn charset_field(form: &[u8]) -> CharsetLabel {
    let fields = form.split(|byte| *byte == b'&');
    let mut labels = fields.filter_map(|field| field.strip_prefix(b"_charset_="));
    labels.next().map_or(CharsetLabel::Absent, |label| {
        Charset::from_label(&String::from_utf8_lossy(label))
    })
}

/// The length of the JSON object or array at the start of `text`, if there is one and the field ends after it.
fn raw_json_length(text: &[u8]) -> Option<usize> {
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let length = values.byte_offset();
    matches!(text.get(length), None | Some(b'&')).then_some(length)
}

fn decode(raw: &[u8], charset: Charset) -> Result<String, String> {
    // Fast path: nothing to decode.
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return charset.decode(raw).map(Cow::into_owned);
    }
    let spaced: Vec<u8> = raw
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes: Vec<u8> = percent_decode(&spaced).collect();
    charset.decode(&bytes).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn read(form: &str) -> Vec<(String, String)> {
        parse(form.as_bytes(), Charset::UTF_8, 100).unwrap()
    }

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn names_and_values_are_decoded() {
        assert_eq!(read("a+b=c%20d%26+e"), pair("a b", "c d& e"));
        assert_eq!(read("a=b=c"), pair("a", "b=c"));
        assert_eq!(read("a"), pair("a", ""));
        assert_eq!(read("&&a=1&"), pair("a", "1"));
        assert_eq!(read("=1"), pair("", "1"));
        assert_eq!(read("a=100%"), pair("a", "100%"));
        assert_eq!(read(""), vec![]);
    }

    #[test]
    fn unencoded_json_is_taken_literally() {
        let json = r#"{"a":["b & c+d=e","100%20"]}"#;
        let form = format!("x=1&_parameter={json}&y=2");
        let expected = [("x", "1"), ("_parameter", json), ("y", "2")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&form), expected);
        assert_eq!(read("a=[1,2]"), pair("a", "[1,2]"));
    }

    #[test]
    fn incomplete_json_is_percent_decoded() {
        assert_eq!(read("a={x+y"), pair("a", "{x y"));
        assert_eq!(read("a={}%20"), pair("a", "{} "));
        assert_eq!(read("a=[1%2C2]"), pair("a", "[1,2]"));
    }

    #[test]
    fn parsing_stops_after_the_limit() {
        let many = b"a&b=1&".repeat(1000);
        assert_eq!(parse(&many, Charset::UTF_8, 2000).unwrap().len(), 2000);
        assert_eq!(parse(&many, Charset::UTF_8, 10).unwrap().len(), 11);
    }

    #[test]
    fn text_that_is_invalid_in_its_charset_is_refused() {
        let invalid = "the text is not valid UTF-8 at byte";
        let long = [b"a".repeat(257).as_slice(), b"=\xe9"].concat();
        for (form, message) in [
            (
                &b"a=%E9"[..],
                format!("the value of field 1, \"a\": {invalid} 0"),
            ),
            (
                b"a=1&&b+c=xy%E9",
                format!("the value of field 2, \"b c\": {invalid} 2"),
            ),
            (
                b"a=1&b=caf\xe9&c=2",
                format!("the value of field 2, \"b\": {invalid} 3"),
            ),
            (
                b"a=1&b={\"c\":\"\xe9\"}",
                format!("the value of field 2, \"b\": {invalid} 6"),
            ),
            (b"a=1&%E9=2", format!("the name of field 2: {invalid} 0")),
            (
                b"a=1&b=2&c\xe9",
                format!("the name of field 3: {invalid} 1"),
            ),
            (b"=%E9", format!("the value of field 1, \"\": {invalid} 0")),
            (&long, format!("the value of field 1: {invalid} 0")),
        ] {
            let error = parse(form, Charset::UTF_8, 10).unwrap_err();
            assert_eq!(error, message);
        }
        let shift_jis = Charset::from_content_type("x/y;charset=Shift_JIS").or_utf_8();
        assert_eq!(
            parse(b"a=%FF", shift_jis, 1).unwrap_err(),
            "the value of field 1, \"a\": the text is not valid Shift_JIS"
        );
        let latin = Charset::from_content_type("x/y;charset=ISO-8859-1").or_utf_8();
        assert_eq!(parse(b"a=%E9", latin, 1).unwrap(), pair("a", "é"));
    }

    proptest! {
        #[test]
        fn encoded_forms_round_trip(sent in prop::collection::vec((".{1,9}", ".{0,9}"), 0..9)) {
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let form = sent.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
            let form = form.collect::<Vec<_>>().join("&");
            prop_assert_eq!(read(&form), sent);
        }

        #[test]
        fn no_form_hangs_or_panics(form in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&form, Charset::UTF_8, 100));
        }
    }
}
