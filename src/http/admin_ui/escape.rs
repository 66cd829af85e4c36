//! Escapes the texts in templates.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};

/// As [`Html`], and shows the escapes of characters that would reorder the text around them: the names on the pages come
/// from clients. Values of form fields must stay as they are: `{{ value|e("exact") }}`.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::admin_ui) struct VisibleHtml;

impl Escaper for VisibleHtml {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((before, control, after)) = split_at_control(rest) {
            Html.write_escaped_str(&mut dest, before)?;
            write!(dest, "{}", control.escape_unicode())?;
            rest = after;
        }
        Html.write_escaped_str(dest, rest)
    }
}

/// A text of the OpenAPI document as HTML: Markdown code spans become elements, and all else is escaped.
pub(in crate::http::admin_ui) fn code_spans(text: impl AsRef<str>) -> String {
    let escape = |text: &str| Escaped(text).to_string();
    let (mut html, mut rest) = (String::new(), text.as_ref());
    while let Some((before, code, after)) = split_at_code(rest) {
        html += &format!("{}<code>{}</code>", escape(before), escape(code));
        rest = after;
    }
    html + &escape(rest)
}

/// A text that is displayed as [`VisibleHtml`].
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        VisibleHtml.write_escaped_str(formatter, self.0)
    }
}

/// The text before the first code span, its code, and the text after it.
fn split_at_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, after) = rest.split_once('`')?;
    Some((before, code, after))
}

/// The text before the first character that changes the direction of text, this character, and the text after it.
fn split_at_control(text: &str) -> Option<(&str, char, &str)> {
    let is_control = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let (before, rest) = text.split_at(text.find(is_control)?);
    let mut characters = rest.chars();
    let control = characters.next()?;
    Some((before, control, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_are_elements_and_the_rest_is_escaped() {
        for (text, expected) in [
            ("", ""),
            ("a<b", "a&#60;b"),
            (
                "`a<b>` & `c`.",
                "<code>a&#60;b&#62;</code> &#38; <code>c</code>.",
            ),
            ("one ` alone, <i>", "one ` alone, &#60;i&#62;"),
            ("`a` and `", "<code>a</code> and `"),
        ] {
            assert_eq!(code_spans(text), expected);
        }
    }

    #[test]
    fn characters_that_change_the_direction_are_shown() {
        for (text, expected) in [
            ("a&b", "a&#38;b"),
            ("a'b\u{202e}c\u{2066}d", "a&#39;b\\u{202e}c\\u{2066}d"),
            ("\u{202a}\u{2069}", "\\u{202a}\\u{2069}"),
            (
                "שלום\u{200f} \u{2029}\u{202f}",
                "שלום\u{200f} \u{2029}\u{202f}",
            ),
        ] {
            let mut written = String::new();
            VisibleHtml.write_escaped_str(&mut written, text).unwrap();
            assert_eq!(written, expected);
        }
    }
}
