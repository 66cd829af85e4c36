//! Messages of clients.

use serde_json::{Map, Value};
use thiserror::Error;

/// The maximum number of messages of a request.
const MAX_MESSAGES: usize = 100;
/// The maximum length of a channel.
const MAX_CHANNEL_BYTES: usize = 256;
/// The maximum number of channels of a subscription.
const MAX_SUBSCRIPTIONS: usize = 100;
/// The maximum length of the JSON of a message id, which replies repeat.
const MAX_ID_BYTES: usize = 256;

/// Why the messages of a request cannot be read.
#[derive(Debug, Error)]
pub enum CometParseError {
    /// The text is not JSON.
    #[error("malformed JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The JSON is neither an object nor an array.
    #[error("expected a message or an array of messages")]
    Type,
    /// There are more messages than allowed.
    #[error("more than {MAX_MESSAGES} messages")]
    TooMany,
}

/// The channel of a message, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel<'a> {
    Handshake,
    Connect,
    Disconnect,
    Subscribe,
    Unsubscribe,
    /// Any other well-formed channel.
    Other(&'a str),
    /// It is missing, or not well-formed.
    Invalid,
}

/// A message of a client.
#[derive(Debug, Default)]
pub struct CometMessage(Map<String, Value>);

impl CometMessage {
    /// Parses a message or an array of messages, and appends them to `messages`. An element that is no object is a
    /// message without a channel.
    ///
    /// # Errors
    /// [`CometParseError`]
    pub fn parse(text: &str, messages: &mut Vec<Self>) -> Result<(), CometParseError> {
        match serde_json::from_str(text)? {
            Value::Array(elements) => {
                messages.extend(elements.into_iter().map(|element| match element {
                    Value::Object(members) => Self(members),
                    _ => Self::default(),
                }));
            }
            Value::Object(members) => messages.push(Self(members)),
            _ => return Err(CometParseError::Type),
        }
        if messages.len() > MAX_MESSAGES {
            return Err(CometParseError::TooMany);
        }
        Ok(())
    }

    /// The channel.
    pub(super) fn channel(&self) -> Channel<'_> {
        match self.text("channel") {
            Some("/meta/handshake") => Channel::Handshake,
            Some("/meta/connect") => Channel::Connect,
            Some("/meta/disconnect") => Channel::Disconnect,
            Some("/meta/subscribe") => Channel::Subscribe,
            Some("/meta/unsubscribe") => Channel::Unsubscribe,
            Some(channel) if is_channel(channel) => Channel::Other(channel),
            _ => Channel::Invalid,
        }
    }

    /// The text of the channel, if it is well-formed.
    pub(super) fn channel_text(&self) -> Option<&str> {
        self.text("channel").filter(|channel| is_channel(channel))
    }

    /// The id: text, or a number of old clients.
    pub(super) fn id(&self) -> Option<&Value> {
        let id = self.0.get("id")?;
        let is_id = match id {
            Value::String(text) => text.len() <= MAX_ID_BYTES,
            Value::Number(_) => true,
            _ => false,
        };
        is_id.then_some(id)
    }

    pub(super) fn client_id(&self) -> Option<&str> {
        self.text("clientId")
    }

    /// Whether it supports none of the connection types of this server.
    pub(super) fn supports_no_type(&self, types: &[&str]) -> bool {
        let Some(Value::Array(supported)) = self.0.get("supportedConnectionTypes") else {
            return false;
        };
        let mut supported = supported.iter().filter_map(Value::as_str);
        !supported.any(|supported| types.contains(&supported))
    }

    /// The channels of a subscription; `None` if they are missing, too many, or not well-formed.
    pub(super) fn subscriptions(&self) -> Option<Vec<&str>> {
        let channels = match self.0.get("subscription")? {
            Value::String(channel) => vec![channel.as_str()],
            Value::Array(channels) if channels.len() <= MAX_SUBSCRIPTIONS => {
                channels.iter().map(Value::as_str).collect::<Option<_>>()?
            }
            _ => return None,
        };
        let are_valid = channels.iter().all(|channel| is_channel(channel));
        (are_valid && !channels.is_empty()).then_some(channels)
    }

    pub(super) fn subscription(&self) -> Option<&Value> {
        self.0.get("subscription")
    }

    /// Whether the client asks for an immediate reply.
    pub(super) fn has_zero_timeout(&self) -> bool {
        self.member("advice", "timeout").and_then(Value::as_f64) == Some(0.0)
    }

    /// Whether a handshake offers acknowledgements.
    pub(super) fn offers_ack(&self) -> bool {
        match self.member("ext", "ack") {
            Some(Value::Bool(offers)) => *offers,
            Some(Value::Object(ack)) => ack.get("enabled") == Some(&Value::Bool(true)),
            _ => false,
        }
    }

    /// The number of the last batch that the client has received.
    pub(super) fn received_batch(&self) -> Option<u64> {
        self.number("ext", "ack")
    }

    /// Whether the client reports, with a negative number, that it has received no batch.
    pub(super) fn has_received_nothing(&self) -> bool {
        let number = self.member("ext", "ack").and_then(Value::as_i64);
        number.is_some_and(i64::is_negative)
    }

    /// The position that the client has received of its chat.
    pub(super) fn transcript_position(&self) -> Option<u64> {
        self.number("ext", "transcriptPosition")
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn member(&self, name: &str, member: &str) -> Option<&Value> {
        self.0.get(name)?.get(member)
    }

    /// A number, or its text, of an inner member.
    fn number(&self, name: &str, member: &str) -> Option<u64> {
        match self.member(name, member)? {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        }
    }
}

/// Whether `text` is a channel or a pattern: segments after slashes.
fn is_channel(text: &str) -> bool {
    let is_character = |byte: u8| byte.is_ascii_alphanumeric() || b"-_!~()$@*.+{}:".contains(&byte);
    let Some(segments) = text.strip_prefix('/') else {
        return false;
    };
    let mut segments = segments.split('/');
    text.len() <= MAX_CHANNEL_BYTES
        && segments.all(|segment| !segment.is_empty() && segment.bytes().all(is_character))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<CometMessage> {
        let mut messages = Vec::new();
        CometMessage::parse(text, &mut messages).unwrap();
        messages
    }

    #[test]
    fn objects_and_arrays_are_read() {
        assert_eq!(parse("[]").len(), 0);
        assert_eq!(parse(r#"{"channel":"/a"}"#).len(), 1);
        let messages = parse(r#"[{"channel":"/meta/connect","id":7},null,{"channel":7}]"#);
        let channels: Vec<Channel<'_>> = messages.iter().map(CometMessage::channel).collect();
        let expected = [Channel::Connect, Channel::Invalid, Channel::Invalid];
        assert_eq!(channels, expected);
        assert_eq!(messages[0].id(), Some(&Value::from(7)));
    }

    #[test]
    fn other_texts_are_rejected() {
        let many = format!("[{}1]", "{},".repeat(MAX_MESSAGES));
        for text in ["", "7", "\"a\"", "null", "{", "[{]", &many] {
            let mut messages = Vec::new();
            assert!(CometMessage::parse(text, &mut messages).is_err(), "{text}");
        }
    }

    #[test]
    fn channels_are_checked() {
        for channel in ["/a", "/_genesys", "/a/b-c/*", "/**", "/service/chat/1:2"] {
            assert!(is_channel(channel), "{channel}");
        }
        for channel in ["", "/", "a", "/a/", "//a", "/a b", "/é", "/a\n"] {
            assert!(!is_channel(channel), "{channel}");
        }
        assert!(!is_channel(&format!("/{}", "a".repeat(MAX_CHANNEL_BYTES))));
    }

    #[test]
    fn members_are_read_in_all_their_forms() {
        let one = |text: &str| parse(text).remove(0);
        assert!(one(r#"{"ext":{"ack":true}}"#).offers_ack());
        assert!(one(r#"{"ext":{"ack":{"enabled":true}}}"#).offers_ack());
        assert!(!one(r#"{"ext":{"ack":1}}"#).offers_ack());
        assert_eq!(one(r#"{"ext":{"ack":4}}"#).received_batch(), Some(4));
        assert_eq!(one(r#"{"ext":{"ack":-1}}"#).received_batch(), None);
        assert!(one(r#"{"ext":{"ack":-1}}"#).has_received_nothing());
        assert!(!one(r#"{"ext":{"ack":0}}"#).has_received_nothing());
        let noted = one(r#"{"ext":{"transcriptPosition":"3"}}"#);
        assert_eq!(noted.transcript_position(), Some(3));
        assert!(one(r#"{"advice":{"timeout":0}}"#).has_zero_timeout());
        assert!(!one(r#"{"advice":{"timeout":1}}"#).has_zero_timeout());
        let subscription = one(r#"{"subscription":"/a"}"#);
        assert_eq!(subscription.subscriptions(), Some(vec!["/a"]));
        assert_eq!(one(r#"{"subscription":["/a",7]}"#).subscriptions(), None);
        assert_eq!(one(r#"{"subscription":[]}"#).subscriptions(), None);
        let old = one(r#"{"supportedConnectionTypes":["callback-polling"]}"#);
        assert!(old.supports_no_type(&["websocket", "long-polling"]));
    }

    proptest! {
        #[test]
        fn no_message_panics(channel in ".{0,20}", other in ".{0,20}") {
            let message = serde_json::json!([{"channel": channel, "subscription": [other]}, other]);
            for message in parse(&message.to_string()) {
                drop(message.subscriptions());
                let _ = (message.channel(), message.id(), message.received_batch());
            }
        }
    }
}
