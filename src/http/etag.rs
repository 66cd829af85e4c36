//! Entity tags in conditional requests (RFC 9110 8.8.3 and 13.1).

use actix_web::{HttpRequest, http::header::HeaderName};

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

/// The tags of a list, with their quotes and `W/`. An invalid tag ends the list.
fn tags(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let opening = if rest.starts_with("W/") { 2 } else { 0 };
        let quoted = rest.get(opening..)?.strip_prefix('"')?;
        let (tag, remaining) = rest.split_at_checked(opening + quoted.find('"')? + 2)?;
        rest = remaining;
        Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::IF_MATCH, test::TestRequest};

    use super::*;

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
