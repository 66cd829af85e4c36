//! Entity tags in conditional requests (RFC 9110 8.8.3 and 13.1).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ETAG, HeaderName, HeaderValue},
};

use super::ApiError;
use crate::model::Revision;

/// What separates the tags of a list.
const SEPARATORS: [char; 3] = [' ', '\t', ','];

/// Whether the header has `tag` (a strong tag, with its quotes) or `*`. Uses the weak comparison, as `If-None-Match`
/// requires.
pub(super) fn matches_weak(request: &HttpRequest, header: &HeaderName, tag: &str) -> bool {
    matches(request, header, |listed| {
        listed.strip_prefix("W/").unwrap_or(listed) == tag
    })
}

/// Like [`matches_weak`], but with the strong comparison, as `If-Match` requires: weak tags match nothing.
pub(super) fn matches_strong(request: &HttpRequest, header: &HeaderName, tag: &str) -> bool {
    matches(request, header, |listed| listed == tag)
}

fn matches(request: &HttpRequest, header: &HeaderName, equals: impl Fn(&str) -> bool) -> bool {
    let mut lines = request.headers().get_all(header);
    lines.any(|line| {
        let line = line.to_str().unwrap_or_default();
        line.trim() == "*" || tags(line).any(&equals)
    })
}

/// The tags of a condition of a read. An invalid tag ends the list.
pub(super) fn listed_tags<'a>(request: &'a HttpRequest, header: &HeaderName) -> TagList<'a> {
    let mut listed = Vec::new();
    for line in request.headers().get_all(header) {
        let line = line.to_str().unwrap_or_default();
        if line.trim() == "*" {
            return TagList::Any;
        }
        listed.extend(tags(line));
    }
    TagList::Listed(listed)
}

/// The tags of a list, with their quotes and `W/`. An invalid tag ends the list.
fn tags(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (tag, remaining) = split_tag(rest.trim_start_matches(SEPARATORS))?;
        rest = remaining;
        Some(tag)
    })
}

/// The tag with which a text begins, and the rest.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let opening = if text.starts_with("W/") { 2 } else { 0 };
    let quoted = text.get(opening..)?.strip_prefix('"')?;
    text.split_at_checked(opening + quoted.find('"')? + 2)
}

/// The tags of a list; `None` if it is malformed.
fn parse_list(mut rest: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(SEPARATORS);
        if rest.is_empty() {
            return Some(found);
        }
        let (tag, remaining) = split_tag(rest)?;
        let following = remaining.trim_start_matches([' ', '\t']);
        if !following.is_empty() && !following.starts_with(',') {
            return None;
        }
        found.push(tag);
        rest = following;
    }
}

/// The tags of a condition.
pub(super) enum TagList<'a> {
    /// `*`
    Any,
    /// These tags, with their quotes and `W/`.
    Listed(Vec<&'a str>),
}

/// The tags of a condition of a change; `None` without the header. A change must not be made if its condition is not
/// understood.
///
/// # Errors
/// [`ApiError::InvalidParameter`] if the header is malformed.
pub(super) fn parse_condition<'a>(
    request: &'a HttpRequest,
    header: &HeaderName,
) -> Result<Option<TagList<'a>>, ApiError> {
    let lines: Vec<_> = request.headers().get_all(header).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let malformed = || {
        ApiError::InvalidParameter(format!(
            "the header {header} is malformed; expected ETags in double quotes, separated by commas, or *"
        ))
    };
    let mut listed = Vec::new();
    for line in &lines {
        let line = line.to_str().map_err(|_not_ascii| malformed())?;
        if line.trim() == "*" && lines.len() == 1 {
            return Ok(Some(TagList::Any));
        }
        listed.extend(parse_list(line).ok_or_else(malformed)?);
    }
    if listed.is_empty() {
        return Err(malformed());
    }
    Ok(Some(TagList::Listed(listed)))
}

/// The strong tag of a revision, with its quotes.
pub(super) fn revision_tag(revision: Revision) -> String {
    format!("\"{revision}\"")
}

/// The revision of a strong tag; `None` if it is that of something else.
pub(super) fn parse_revision(tag: &str) -> Option<Revision> {
    let number = tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()?;
    let revision = Revision::new(number);
    (revision_tag(revision) == tag).then_some(revision)
}

/// Adds the tag of a revision to a response.
pub(super) fn with_revision(mut response: HttpResponse, revision: Revision) -> HttpResponse {
    if let Ok(tag) = HeaderValue::from_str(&revision_tag(revision)) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::IF_MATCH, test::TestRequest};

    use super::*;

    #[test]
    fn conditions_of_changes_must_be_well_formed() {
        for (lines, expected) in [
            (&["\"1\""][..], Ok(vec!["\"1\""])),
            (
                &["\"1\", W/\"2\" ,,\"x,y\""],
                Ok(vec!["\"1\"", "W/\"2\"", "\"x,y\""]),
            ),
            (&["\"1\"", "\"2\""], Ok(vec!["\"1\"", "\"2\""])),
            (&[" * "], Ok(Vec::new())),
            (&["*", "\"1\""], Err(())),
            (&["\"1\" \"2\""], Err(())),
            (&["\"1\"2"], Err(())),
            (&["1"], Err(())),
            (&["\"1"], Err(())),
            (&["w/\"1\""], Err(())),
            (&[""], Err(())),
            (&[","], Err(())),
        ] {
            let mut request = TestRequest::default();
            for line in lines {
                request = request.append_header((IF_MATCH, *line));
            }
            let request = request.to_http_request();
            let parsed = parse_condition(&request, &IF_MATCH).map(|tags| match tags.unwrap() {
                TagList::Any => Vec::new(),
                TagList::Listed(listed) => listed,
            });
            assert_eq!(parsed.map_err(drop), expected, "{lines:?}");
        }
        let request = TestRequest::default().to_http_request();
        assert!(parse_condition(&request, &IF_MATCH).unwrap().is_none());
    }

    #[test]
    fn only_strong_tags_of_numbers_are_revisions() {
        for tag in [
            "W/\"7\"",
            "\"07\"",
            "\"+7\"",
            "\"\"",
            "\"a\"",
            "7",
            "\"18446744073709551616\"",
        ] {
            assert_eq!(parse_revision(tag), None, "{tag}");
        }
        assert_eq!(parse_revision("\"7\""), Some(Revision::new(7)));
    }

    #[test]
    fn tags_are_compared_strongly_or_weakly() {
        for (lines, strong, weak) in [
            (&["\"a\""][..], true, true),
            (&["W/\"a\""], false, true),
            (&["*"], true, true),
            (&[" * "], true, true),
            (&["\"b\", \"a\""], true, true),
            (&["\"b\",W/\"a\""], false, true),
            (&["\"b\"", "\"a\""], true, true),
            (&["\"b\",,\t\"a\""], true, true),
            (&["\"b,\"a\""], false, false),
            (&["\"x, \\\"a\\\"\""], false, false),
            (&["a"], false, false),
            (&["\"a"], false, false),
            (&["w/\"a\""], false, false),
            (&["\"A\""], false, false),
            (&["\"b\""], false, false),
            (&[""], false, false),
            (&[], false, false),
        ] {
            let mut request = TestRequest::default();
            for line in lines {
                request = request.append_header((IF_MATCH, *line));
            }
            let request = request.to_http_request();
            let tag = "\"a\"";
            assert_eq!(
                matches_strong(&request, &IF_MATCH, tag),
                strong,
                "{lines:?}"
            );
            assert_eq!(matches_weak(&request, &IF_MATCH, tag), weak, "{lines:?}");
        }
    }
}
