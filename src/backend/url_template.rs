//! URL templates: `https://chat.example/rooms/{_session}/messages?by={nick}`.
//!
//! Scheme, host and port are constant: a placeholder before the path is rejected when the template is parsed. Values
//! are percent-encoded, so they cannot leave their path segment or query value, and paths with `..` segments are
//! rejected. Client data therefore cannot change the target.

use std::borrow::Cow;

use reqwest::Url;

use super::{
    BackendError,
    request::{DATA_ID, RequestContext, percent_encode},
};

#[cfg(test)]
mod tests;

/// Placeholders that have built-in values. Clients cannot set them.
const ID: &str = "id";
/// The same value as [`ID`], under the name that responses use.
const RESPONSE_ID: &str = "_id";
const SERVICE: &str = "service";
const REQUEST: &str = "request";
pub(super) const SESSION: &str = "_session";
/// The expected form of a URL, for messages.
pub(super) const EXPECTED_URL: &str = "expected a URL without the segments \".\" and \"..\", whose characters are \
     percent-encoded where the URL standard requires it";

/// A URL with placeholders.
#[derive(Debug)]
pub(super) struct UrlTemplate {
    /// Scheme, host and port; `None` for a template that begins with a path, relative to a backend's base URL.
    pub(super) base: Option<String>,
    parts: Vec<TemplatePart>,
}

#[derive(Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    /// A placeholder, and whether it is in the path.
    Placeholder(String, bool),
}

impl UrlTemplate {
    /// # Errors
    /// A message with the value and the expected form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let invalid = |reason: &str| format!("is {text:?}: {reason}");
        let (base, rest) = if text.starts_with('/') {
            (None, text)
        } else {
            let (base, rest) = split_base(text).map_err(|reason| invalid(&reason))?;
            (Some(base), rest)
        };
        let mut parts = Vec::new();
        let (mut remaining, mut in_path) = (rest, true);
        while !remaining.is_empty() {
            let (constant, rest_of_text) =
                remaining.split_at(remaining.find(['{', '}']).unwrap_or(remaining.len()));
            if constant.contains('#') {
                return Err(invalid("the URL of a request must not contain #"));
            }
            in_path &= !constant.contains('?');
            if !constant.is_empty() {
                parts.push(TemplatePart::Text(constant.to_owned()));
            }
            if rest_of_text.is_empty() {
                break;
            }
            let placeholder = rest_of_text
                .strip_prefix('{')
                .and_then(|rest_of_text| rest_of_text.split_once('}'));
            let (name, rest_of_text) = placeholder.ok_or_else(|| invalid("unbalanced { or }"))?;
            if name.is_empty() || name.contains('{') {
                return Err(invalid("expected the name of a parameter between { and }"));
            }
            parts.push(TemplatePart::Placeholder(name.to_owned(), in_path));
            remaining = rest_of_text;
        }
        if !rest.starts_with('/') {
            parts.insert(0, TemplatePart::Text("/".to_owned()));
        }
        let template = Self { base, parts };
        let expanded = template.substitute(|_| Some(Cow::Borrowed("x")));
        let expanded = expanded.map_err(|error| invalid(&error.to_string()))?;
        is_sent_as_written(&expanded)
            .then_some(template)
            .ok_or_else(|| invalid(EXPECTED_URL))
    }

    /// The first placeholder that does not have a built-in value in the template of a termination.
    pub(super) fn first_placeholder_of_a_request(&self) -> Option<&str> {
        let mut names = self.placeholders();
        names.find(|name| !is_id(name) && !matches!(*name, SERVICE | SESSION))
    }

    /// The first placeholder with the name of an option that clients cannot set.
    pub(super) fn first_server_side_placeholder(
        &self,
        is_server_side: fn(&str) -> bool,
    ) -> Option<&str> {
        let mut names = self.placeholders();
        names.find(|name| name.starts_with('_') && *name != SESSION && is_server_side(name))
    }

    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(name, _) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }

    /// Whether a placeholder has this name.
    pub(super) fn has_placeholder(&self, placeholder: &str) -> bool {
        self.placeholders().any(|name| name == placeholder)
    }

    /// Expands path and query for a request.
    ///
    /// # Errors
    /// [`BackendError::InvalidParameter`] if a parameter of the path is missing, `.` or `..`.
    pub(super) fn expand(
        &self,
        context: &RequestContext<'_>,
        session: &str,
    ) -> Result<String, BackendError> {
        self.substitute(|name| match name {
            name if is_id(name) => Some(Cow::Borrowed(context.id.as_str())),
            SERVICE => Some(Cow::Borrowed(context.definition)),
            REQUEST => Some(Cow::Borrowed(context.request)),
            SESSION => Some(Cow::Borrowed(session)),
            _ => {
                let mut fields = context.fields.iter().chain(context.template_fields);
                let field = fields.find(|(other, _)| other == name);
                field.map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
        })
    }

    fn substitute<'a>(
        &'a self,
        value_of: impl Fn(&'a str) -> Option<Cow<'a, str>>,
    ) -> Result<String, BackendError> {
        let mut expanded = String::with_capacity(128);
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => expanded.push_str(text),
                TemplatePart::Placeholder(name, in_path) => {
                    let value = value_of(name).unwrap_or_default();
                    if *in_path && value.is_empty() {
                        let message =
                            format!("{name} is missing; the path of the backend URL needs it");
                        return Err(BackendError::InvalidParameter(message));
                    }
                    // The name of a request can span segments.
                    let mut segments = value.split('/');
                    let spans_segments = name == REQUEST && *in_path;
                    let first = if spans_segments {
                        segments.next()
                    } else {
                        Some(&*value)
                    };
                    expanded.extend(percent_encode(first.unwrap_or_default()));
                    for segment in segments.take(if spans_segments { usize::MAX } else { 0 }) {
                        expanded.push('/');
                        expanded.extend(percent_encode(segment));
                    }
                }
            }
        }
        let path = expanded.split('?').next().unwrap_or_default();
        if path.split('/').any(is_dot_segment) {
            let message = "a parameter in the path of the backend URL must not be \".\" or \"..\"";
            return Err(BackendError::InvalidParameter(message.to_owned()));
        }
        Ok(expanded)
    }
}

/// Whether the value of this placeholder is the id of the service.
fn is_id(placeholder: &str) -> bool {
    matches!(placeholder, ID | RESPONSE_ID) || placeholder.eq_ignore_ascii_case(DATA_ID)
}

/// Whether a segment of a path is `.` or `..`, which a URL resolves. Their dots can be percent-encoded.
fn is_dot_segment(segment: &str) -> bool {
    segment.len() <= "%2e%2e".len()
        && matches!(
            &*segment.to_ascii_lowercase().replace("%2e", "."),
            "." | ".."
        )
}

/// Whether `path`, a path with an optional query, is sent as it is: a URL resolves segments such as `..`, replaces
/// `\`, and encodes some characters.
pub(super) fn is_sent_as_written(path: &str) -> bool {
    let url = Url::parse(&["http://host", path].concat());
    url.is_ok_and(|url| {
        let (sent, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        url.path() == sent && url.query() == query
    })
}

/// Splits an absolute URL into scheme, host and port, and the rest.
///
/// # Errors
/// A message with the expected form.
pub(super) fn split_base(url: &str) -> Result<(String, &str), String> {
    let expected = || "expected http://host:port/path or https://host:port/path".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
    if !matches!(scheme, "http" | "https") {
        return Err(expected());
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains(['{', '}']) {
        return Err("placeholders are allowed only in the path and the query".to_owned());
    }
    if authority.contains('@') {
        return Err("credentials must be in the option _header.Authorization".to_owned());
    }
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let is_port_valid = port.is_none_or(|port| port.ends_with(']') || port.parse::<u16>().is_ok());
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[]:".contains(&byte);
    let base = format!("{scheme}://{authority}");
    if !authority.bytes().all(is_allowed) || !is_port_valid || Url::parse(&base).is_err() {
        return Err(expected());
    }
    Ok((base, rest))
}
