//! URL templates: `https://chat.example/rooms/{_session}/messages?by={nick}`.
//!
//! Scheme, host and port are what stands there; a placeholder before the path is refused when the
//! template is read. What fills one is percent-encoded, so it stays within its segment or its query
//! value, and a path that would climb (`..`) is refused. So nothing that a client sends leads elsewhere.

use std::borrow::Cow;

use hyper::{Uri, http::uri::Authority};

use super::request::{RequestContext, percent_encode};
use crate::service::ServiceError;

/// Placeholders that are filled by the service itself.
const ID: &str = "id";
const SERVICE: &str = "service";
const REQUEST: &str = "request";
pub(super) const SESSION: &str = "_session";

/// A URL with placeholders.
#[derive(Debug)]
pub(super) struct UrlTemplate {
    /// Scheme, host and port; `None` for one that begins with its path, below whichever backend.
    pub(super) base: Option<String>,
    parts: Vec<TemplatePart>,
}

#[derive(Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    /// A placeholder, and whether it stands in the path.
    Placeholder(String, bool),
}

impl UrlTemplate {
    /// # Errors
    /// In words: what it is and what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("is {text:?}: {why}");
        let (base, rest) = if text.starts_with('/') {
            (None, text)
        } else {
            let (base, rest) = split_base(text).map_err(|why| wrong(&why))?;
            (Some(base), rest)
        };
        let mut parts = Vec::new();
        let (mut left, mut in_path) = (rest, true);
        while !left.is_empty() {
            let (constant, more) = left.split_at(left.find(['{', '}']).unwrap_or(left.len()));
            if constant.contains('#') {
                return Err(wrong("a URL of a request has no #"));
            }
            in_path &= !constant.contains('?');
            if !constant.is_empty() {
                parts.push(TemplatePart::Text(constant.to_owned()));
            }
            if more.is_empty() {
                break;
            }
            let inside = more.strip_prefix('{').and_then(|more| more.split_once('}'));
            let (name, more) = inside.ok_or_else(|| wrong("a { and its } do not match"))?;
            if name.is_empty() || name.contains('{') {
                return Err(wrong("between { and } stands the name of a parameter"));
            }
            parts.push(TemplatePart::Placeholder(name.to_owned(), in_path));
            left = more;
        }
        if !rest.starts_with('/') {
            parts.insert(0, TemplatePart::Text("/".to_owned()));
        }
        let template = Self { base, parts };
        let filled = template.substitute(|_| Some(Cow::Borrowed("x")));
        let filled = filled.map_err(|error| wrong(&error.to_string()))?;
        let is_url = filled.parse::<Uri>().is_ok();
        is_url
            .then_some(template)
            .ok_or_else(|| wrong("expected a URL"))
    }

    /// The first placeholder, if any, that is not among these.
    pub(super) fn first_placeholder_except(&self, known: &[&str]) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            TemplatePart::Placeholder(name, _) if !known.contains(&name.as_str()) => {
                Some(name.as_str())
            }
            _ => None,
        })
    }

    /// Whether a placeholder has this name.
    pub(super) fn has_placeholder(&self, placeholder: &str) -> bool {
        let is_it = |part: &TemplatePart| matches!(part, TemplatePart::Placeholder(name, _) if name == placeholder);
        self.parts.iter().any(is_it)
    }

    /// Path and query for a request.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] where a parameter of the path is missing, or climbs.
    pub(super) fn expand(
        &self,
        about: &RequestContext<'_>,
        session: &str,
    ) -> Result<String, ServiceError> {
        self.substitute(|name| match name {
            ID => Some(Cow::Borrowed(about.id.as_str())),
            SERVICE => Some(Cow::Borrowed(about.definition)),
            REQUEST => Some(Cow::Borrowed(about.request)),
            SESSION => Some(Cow::Borrowed(session)),
            _ => {
                let mut pairs = about.fields.iter().chain(about.template_fields);
                let pair = pairs.find(|(other, _)| other == name);
                pair.map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
        })
    }

    fn substitute<'a>(
        &'a self,
        value_of: impl Fn(&'a str) -> Option<Cow<'a, str>>,
    ) -> Result<String, ServiceError> {
        let mut filled = String::with_capacity(128);
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => filled.push_str(text),
                TemplatePart::Placeholder(name, in_path) => {
                    let value = value_of(name).unwrap_or_default();
                    if *in_path && value.is_empty() {
                        let message =
                            format!("{name} is missing; it is part of the backend's path");
                        return Err(ServiceError::InvalidParameter(message));
                    }
                    // A request may span segments.
                    let mut segments = value.split('/');
                    let spans = name == REQUEST && *in_path;
                    let first = if spans {
                        segments.next()
                    } else {
                        Some(&*value)
                    };
                    filled.extend(percent_encode(first.unwrap_or_default()));
                    for segment in segments.take(if spans { usize::MAX } else { 0 }) {
                        filled.push('/');
                        filled.extend(percent_encode(segment));
                    }
                }
            }
        }
        let path = filled.split('?').next().unwrap_or_default();
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            let message = "a parameter of the backend's path may not be \".\" or \"..\"";
            return Err(ServiceError::InvalidParameter(message.to_owned()));
        }
        Ok(filled)
    }
}

/// Scheme, host and port of an absolute URL, and the rest of it.
///
/// # Errors
/// What was expected.
pub(super) fn split_base(url: &str) -> Result<(String, &str), String> {
    let expected = || "expected http://host:port/path or https://host:port/path".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
    if !matches!(scheme, "http" | "https") {
        return Err(expected());
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains(['{', '}']) {
        return Err("a placeholder may only stand in the path or behind it".to_owned());
    }
    if authority.contains('@') {
        return Err("credentials belong into _header.Authorization".to_owned());
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let port_is_right = port.is_none_or(|port| port.ends_with(']') || port.parse::<u16>().is_ok());
    let authority: Authority = authority.parse().map_err(|_wrong| expected())?;
    if authority.host().is_empty() || !port_is_right {
        return Err(expected());
    }
    Ok((format!("{scheme}://{authority}"), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{service::backend::request::PropagatedHeaders, store::ServiceId};

    fn expand(template: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
        let template = UrlTemplate::parse(template)?;
        let pairs = pairs.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (id, trail) = (
            ServiceId::from("4711".to_owned()),
            PropagatedHeaders::default(),
        );
        let about = RequestContext {
            id: &id,
            definition: "my chat",
            request: "room/say it",
            fields: &pairs,
            template_fields: &[],
            propagated_headers: &trail,
        };
        let path = template.expand(&about, "s/1");
        let path = path.map_err(|error| error.to_string())?;
        Ok(template.base.unwrap_or_default() + &path)
    }

    #[test]
    fn placeholders_are_filled_and_encoded() {
        for (template, expected) in [
            ("http://h:1/a/{id}/{service}", "http://h:1/a/4711/my%20chat"),
            (
                "http://h/{request}?r={request}",
                "http://h/room/say%20it?r=room%2Fsay%20it",
            ),
            ("https://h/{_session}", "https://h/s%2F1"),
            ("http://h?by={nick}", "http://h/?by=J%26J%20%C3%A9"),
            ("/x?none={none}", "/x?none="),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
            ("http://h", "http://h/"),
        ] {
            assert_eq!(expand(template, &[("nick", "J&J é")]).unwrap(), expected);
        }
    }

    #[test]
    fn a_template_with_a_variable_authority_is_rejected() {
        for (template, expected) in [
            ("{host}/x", "expected http://"),
            ("http://{host}/x", "only stand in the path"),
            ("http://h:{port}/x", "only stand in the path"),
            ("http://h{x}", "only stand in the path"),
            ("{scheme}://h/x", "expected http://"),
            ("http://u:p@h/x", "_header.Authorization"),
            ("ftp://h/x", "expected http://"),
            ("http:///x", "expected http://"),
            ("http://h:x/", "expected http://"),
            ("h/x", "expected http://"),
            ("http://h/{a", "do not match"),
            ("http://h/a}", "do not match"),
            ("http://h/{}", "name of a parameter"),
            ("http://h/#x", "no #"),
            ("http://h/a b", "expected a URL"),
        ] {
            let message = expand(template, &[]).unwrap_err();
            assert!(message.contains(expected), "{template}: {message}");
        }
    }

    #[test]
    fn a_path_needs_all_parameters_and_has_no_dot_segments() {
        for value in ["", ".", ".."] {
            assert!(
                expand("http://h/rooms/{a}/x", &[("a", value)]).is_err(),
                "{value:?}"
            );
        }
        let filled = expand("http://h/rooms/{a}/x", &[("a", "../..")]).unwrap();
        assert_eq!(filled, "http://h/rooms/..%2F../x");
    }

    proptest! {
        #[test]
        fn no_value_changes_the_host(value in ".{1,40}") {
            if let Ok(filled) = expand("http://host:81/a/{a}?b={a}", &[("a", &value)]) {
                let uri: Uri = filled.parse().unwrap();
                prop_assert_eq!(uri.authority().unwrap().as_str(), "host:81");
                prop_assert_eq!(uri.path().split('/').count(), 3);
                prop_assert!(uri.query().unwrap().starts_with("b="));
                prop_assert!(!uri.query().unwrap().contains('&'));
            }
        }
    }
}
