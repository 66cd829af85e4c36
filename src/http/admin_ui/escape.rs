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
