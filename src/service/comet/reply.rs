//! Replies and pushes to clients.

use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::message::CometMessage;
use crate::{
    model::{ServiceId, StoreError, chat::Chat, comet::CometSessionId},
    service::{ChatObject, ServiceError},
    settings,
};

/// The channel of pushed chats.
pub(super) const PUSH_CHANNEL: &str = "/_genesys";

/// The messages of a response.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct CometReplies(Vec<Box<RawValue>>);

impl CometReplies {
    /// The reply to a request whose messages cannot be read.
    #[must_use]
    pub fn malformed(reason: &str) -> Self {
        let mut replies = Self::default();
        replies.push(&Reply::new(&CometMessage::default()).failed(400, "", reason));
        replies
    }

    pub(super) fn push(&mut self, reply: &Reply) {
        // Serialization into memory does not fail.
        self.0
            .extend(serde_json::value::to_raw_value(&reply.0).ok());
    }

    pub(super) fn push_raw(&mut self, message: Box<RawValue>) {
        self.0.push(message);
    }

    /// Appends `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON array.
    ///
    /// # Errors
    /// None in practice.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The reply to a message.
#[derive(Debug, Clone)]
pub(super) struct Reply(Map<String, Value>);

impl Reply {
    /// A successful reply to `message`.
    pub(super) fn new(message: &CometMessage) -> Self {
        let mut members = Map::new();
        let channel = message.channel_text().map(Value::from);
        let id = message.id().cloned();
        for (name, value) in [("channel", channel), ("id", id)] {
            members.extend(value.map(|value| (name.to_owned(), value)));
        }
        members.insert("successful".to_owned(), Value::Bool(true));
        Self(members)
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn with_client(self, id: &CometSessionId) -> Self {
        self.with("clientId", id.client_id())
    }

    /// Makes it an error with a code, arguments and a text.
    pub(super) fn failed(self, code: u16, argument: &str, text: &str) -> Self {
        let error = format!("{code}:{argument}:{text}");
        self.with("successful", false).with("error", error)
    }

    /// The reply about a session that does not exist.
    pub(super) fn unknown_session(self) -> Self {
        self.failed(402, "", "session_unknown")
    }

    /// Advises the client to open a new session.
    pub(super) fn with_handshake(self) -> Self {
        self.with("advice", json!({"reconnect": "handshake", "interval": 0}))
    }

    /// Advises the client not to connect again.
    pub(super) fn with_none(self) -> Self {
        self.with("advice", json!({"reconnect": "none", "interval": 0}))
    }

    /// Advises the client to connect again in `interval` milliseconds.
    pub(super) fn with_retry(self, comet: &settings::Comet, interval: u64) -> Self {
        let timeout = u64::try_from(comet.timeout.as_millis()).unwrap_or(u64::MAX);
        let advice = json!({"reconnect": "retry", "interval": interval, "timeout": timeout});
        self.with("advice", advice)
    }
}

#[derive(Serialize)]
struct Push<'a> {
    channel: &'static str,
    data: PushData<'a>,
}

#[derive(Serialize)]
struct PushData<'a> {
    message: ChatObject<'a>,
    id: String,
    tag: String,
}

/// The push of a part of a chat.
///
/// # Errors
/// None in practice.
pub(super) fn push(service: &ServiceId, chat: &Chat) -> Result<Box<RawValue>, ServiceError> {
    let push = Push {
        channel: PUSH_CHANNEL,
        data: PushData {
            message: ChatObject::new(chat),
            id: random_hex(),
            tag: format!("service.chat.refresh.{}", service.as_str()),
        },
    };
    let pushed = serde_json::value::to_raw_value(&push);
    pushed.map_err(|error| StoreError::Bug(error.to_string()).into())
}

/// 128 random bits in hexadecimal digits.
pub(super) fn random_hex() -> String {
    format!("{:032x}", rand::random::<u128>())
}
