//! Content negotiation by `Accept` (RFC 9110 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap};

/// The maximum weight, in thousandths: weights have at most three decimal digits.
const MAX_WEIGHT: u16 = 1000;

/// A media range of the header.
struct MediaRange<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: u16,
}

impl<'a> MediaRange<'a> {
    /// Parses `type/subtype;parameter;q=weight`. Parameters other than the weight are ignored.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split_outside_quotes(text, ';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let (kind, subtype) = (kind.trim(), subtype.trim());
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let mut weight = MAX_WEIGHT;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                weight = parse_weight(value.trim())?;
                break;
            }
        }
        Some(Self {
            kind,
            subtype,
            weight,
        })
    }

    /// How specifically the range matches `media_type`: from 0 (no match) to 3 (exact).
    fn specificity(&self, media_type: &str) -> u8 {
        let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        if self.kind == "*" {
            return 1;
        }
        if !self.kind.eq_ignore_ascii_case(kind) {
            return 0;
        }
        if self.subtype == "*" {
            return 2;
        }
        3 * u8::from(self.subtype.eq_ignore_ascii_case(subtype))
    }
}

/// The media type of `offered` (types without parameters) that the client prefers: the one with the highest weight;
/// among equals the most specific match, then the first in the header, then the first of `offered`. Without the
/// header, or if it accepts none of them, the first of `offered`: a response of another type is more useful than 406.
pub(super) fn preferred_type<'a>(headers: &HeaderMap, offered: &[&'a str]) -> &'a str {
    let first = offered.first().copied().unwrap_or_default();
    let lines: Vec<&str> = headers
        .get_all(ACCEPT)
        .filter_map(|line| line.to_str().ok())
        .collect();
    let ranges: Vec<MediaRange<'_>> = lines
        .iter()
        .flat_map(|line| split_outside_quotes(line, ','))
        .filter_map(MediaRange::parse)
        .collect();
    let mut best = (first, (0, 0, usize::MAX));
    for media_type in offered {
        // The most specific range determines the weight of a type.
        let matching = ranges.iter().enumerate();
        let matching = matching.map(|(index, range)| (range.specificity(media_type), range, index));
        let matching = matching.filter(|(specificity, ..)| *specificity > 0);
        let range =
            matching.max_by_key(|(specificity, _, index)| (*specificity, usize::MAX - index));
        let Some((specificity, range, index)) = range.filter(|(_, range, _)| range.weight > 0)
        else {
            continue;
        };
        // An exact name outranks a wildcard of the same weight; wildcards are equal.
        let rank = (range.weight, specificity / 3, usize::MAX - index);
        if best.1.0 == 0 || rank > best.1 {
            best = (media_type, rank);
        }
    }
    best.0
}

/// Whether a range of the header names exactly this media type, and accepts it.
pub(super) fn names_type(headers: &HeaderMap, media_type: &str) -> bool {
    let lines = headers
        .get_all(ACCEPT)
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| split_outside_quotes(line, ','))
        .filter_map(MediaRange::parse)
        .any(|range| range.specificity(media_type) == 3 && range.weight > 0)
}

/// Parses a weight: `0` or `1` with up to three decimal digits.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(MAX_WEIGHT),
        _ => None,
    }
}

/// Splits `text` at separators outside of quoted strings.
fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character: char| {
        if escaped {
            escaped = false;
        } else if quoted && character == '\\' {
            escaped = true;
        } else if character == '"' {
            quoted = !quoted;
        } else {
            return character == separator && !quoted;
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const JSON: &str = "application/json";
    const TEXT: &str = "text/plain";

    #[test]
    fn the_weight_decides_then_the_most_specific_range_then_the_order() {
        for (accept, expected) in [
            ("", JSON),
            ("*/*", JSON),
            ("text/plain", TEXT),
            ("TEXT/PLAIN", TEXT),
            ("text/*", TEXT),
            ("Text/*;q=0.1", TEXT),
            ("text/plain;charset=utf-8", TEXT),
            ("text/plain ; Q=0.2 , application/json;q=0.1", TEXT),
            ("text/plain;q=0.2, application/json;q=0.3", JSON),
            ("text/plain;q=0, */*", JSON),
            ("text/plain;q=0.000, text/*", JSON),
            ("*/*, text/plain;q=0.5", JSON),
            ("*/*;q=0.1, text/plain;q=0.5", TEXT),
            ("text/*, application/json;q=0.9", TEXT),
            ("application/*;q=0.3, text/*;q=0.4", TEXT),
            ("text/plain, */*", TEXT),
            ("*/*, text/plain", TEXT),
            ("text/plain, */*; q=0.01", TEXT),
            ("application/json, text/plain, */*", JSON),
            ("text/plain, application/json", TEXT),
            ("application/json, text/javascript, */*; q=0.01", JSON),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                JSON,
            ),
            ("application/json;q=0, text/plain", TEXT),
            ("application/json;q=0, */*", TEXT),
            // No offered type is accepted.
            ("image/png", JSON),
            ("text/plain;q=0", JSON),
            ("*/*;q=0", JSON),
            ("text/html", JSON),
            // Invalid weights and ranges are ignored.
            ("text/plain;q=2", JSON),
            ("text/plain;q=0.1234", JSON),
            ("text/plain;q=-1", JSON),
            ("text/plain;q=", JSON),
            ("*/plain", JSON),
            ("text", JSON),
            (",, text/plain ,", TEXT),
            ("text/plain;x=\"a,b;q=0\"", TEXT),
            ("image/png;x=\"a, text/plain\"", JSON),
        ] {
            let request = TestRequest::default().insert_header((ACCEPT, accept));
            let request = request.to_http_request();
            assert_eq!(
                preferred_type(request.headers(), &[JSON, TEXT]),
                expected,
                "{accept}"
            );
        }
    }

    #[test]
    fn multiple_header_lines_are_combined() {
        let request = TestRequest::default()
            .append_header((ACCEPT, "application/json;q=0.5"))
            .append_header((ACCEPT, "text/plain"))
            .to_http_request();
        assert_eq!(preferred_type(request.headers(), &[JSON, TEXT]), TEXT);
    }

    #[test]
    fn missing_header_selects_the_first_type() {
        let request = TestRequest::default().to_http_request();
        assert_eq!(preferred_type(request.headers(), &[TEXT, JSON]), TEXT);
    }
}
