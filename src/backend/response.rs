//! Validates responses of backends, which are passed through without parsing: digits of numbers and the order of
//! names are preserved.

use std::{collections::HashMap, fmt};

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::exchange::BackendResponse;
use crate::model::ServiceId;

/// Members of the response to a session start that can contain the session name, by precedence.
const SESSION_NAME_MEMBERS: [&str; 8] = [
    "session",
    "sessionId",
    "sessionid",
    "session_id",
    "_sessionid",
    "sid",
    "id",
    "_id",
];
/// Maximum length of a session name.
const MAX_SESSION_NAME_BYTES: usize = 256;

/// The JSON text of a response; an empty object if there is no body.
pub(super) fn json_body(response: &BackendResponse) -> Option<Bytes> {
    let text = std::str::from_utf8(&response.body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.is_empty() {
        return Some(Bytes::from_static(b"{}"));
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(response.body.slice_ref(text.as_bytes()))
}

/// Prepends the `_id` of the service to `object` unless it has one. `None` if `object` is not a JSON object.
pub(super) fn add_id(object: &Bytes, id: &ServiceId) -> Option<String> {
    let text = std::str::from_utf8(object).ok()?;
    let members: Members = serde_json::from_str(text).ok()?;
    if members.has_id {
        return Some(text.to_owned());
    }
    let id = serde_json::to_string(id.as_str()).ok()?;
    let members_text = text.strip_prefix('{')?;
    let comma = if members.is_nonempty { "," } else { "" };
    Some(["{\"_id\":", &id, comma, members_text].concat())
}

/// The session name in a response: the plain text, or a member of a JSON object.
pub(super) fn parse_session_name(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.starts_with('{') {
        return SESSION_NAME_MEMBERS
            .iter()
            .find_map(|name| session_name_in_member(text, name));
    }
    if text.starts_with('"') {
        return valid_session_name(serde_json::from_str(text).ok()?);
    }
    valid_session_name(text.to_owned())
}

/// The session name in the member `name` of a JSON object.
pub(super) fn session_name_in_member(object: &str, name: &str) -> Option<String> {
    let mut members: HashMap<String, Value> = serde_json::from_str(object).ok()?;
    match members.remove(name)? {
        Value::String(text) => valid_session_name(text),
        Value::Number(number) => valid_session_name(number.to_string()),
        _ => None,
    }
}

fn valid_session_name(name: String) -> Option<String> {
    let is_invalid = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '[');
    let is_segment = name != "." && name != "..";
    let is_valid = (1..=MAX_SESSION_NAME_BYTES).contains(&name.len()) && is_segment;
    (is_valid && !name.contains(is_invalid)).then_some(name)
}

/// Properties of an object's members.
#[derive(Default)]
struct Members {
    is_nonempty: bool,
    has_id: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            members.is_nonempty = true;
            members.has_id |= name == "_id";
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn response(body: &[u8]) -> BackendResponse {
        BackendResponse {
            status: StatusCode::OK,
            content_type: String::new(),
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn only_json_is_accepted_and_it_is_unchanged() {
        for text in [
            "{}",
            "[1.10,1e400,{\"a\":null}]",
            "\"é\"",
            "0",
            "{\"a\":1,\"a\":2}",
        ] {
            assert_eq!(json_body(&response(text.as_bytes())).unwrap(), text);
        }
        assert_eq!(json_body(&response(b"\xef\xbb\xbf {} \n")).unwrap(), "{}");
        assert_eq!(json_body(&response(b"")).unwrap(), "{}");
        for invalid in [&b"<html>"[..], b"{", b"OK", b"{} {}", b"\"\xe9\"", b"\0"] {
            assert_eq!(json_body(&response(invalid)), None, "{invalid:?}");
        }
    }

    #[test]
    fn an_id_is_added_if_there_is_none() {
        let id = ServiceId::from("4711".to_owned());
        let with_id = |object: &'static str| add_id(&Bytes::from_static(object.as_bytes()), &id);
        for (object, expected) in [
            ("{}", r#"{"_id":"4711"}"#),
            ("{ }", r#"{"_id":"4711" }"#),
            (r#"{"b":1.50,"a":{}}"#, r#"{"_id":"4711","b":1.50,"a":{}}"#),
            (r#"{"a":{"_id":1}}"#, r#"{"_id":"4711","a":{"_id":1}}"#),
            (r#"{"a":1,"_id":"x"}"#, r#"{"a":1,"_id":"x"}"#),
            (r#"{"\u005fid":"x"}"#, r#"{"\u005fid":"x"}"#),
        ] {
            assert_eq!(with_id(object).unwrap(), expected);
        }
        for not_an_object in ["[]", "1", "\"x\"", "null"] {
            assert_eq!(with_id(not_an_object), None);
        }
    }

    #[test]
    fn a_session_name_is_a_member_or_the_plain_text() {
        for (body, expected) in [
            ("S-1\r\n", Some("S-1")),
            ("\"S-1\"", Some("S-1")),
            (r#"{"x":1,"session":"S-1","id":"2"}"#, Some("S-1")),
            (r#"{"id":17}"#, Some("17")),
            (r#"{"id":"","sid":"S-1"}"#, Some("S-1")),
            ("", None),
            ("..", None),
            ("OK then", None),
            ("<html/>", None),
            ("[\"a\"]", None),
            (r#"{"x":"1"}"#, None),
            (r#"{"id":{}}"#, None),
            ("{", None),
        ] {
            assert_eq!(
                parse_session_name(body.as_bytes()).as_deref(),
                expected,
                "{body}"
            );
        }
    }
}
