//! Chats: one per service at most, with a transcript of events at dense positions.

use std::time::Duration;

pub use self::{
    action::{AgentJoin, ChatAction, ChatOutcome, ChatReply, ChatWindow},
    event::{ChatEvent, ChatEventKind, Party},
    listing::{ChatSignal, ChatSummary, ChatVersion, ListedChats},
};
use super::{ServiceId, Timestamp};

mod action;
mod event;
mod listing;

/// The maximum number of agents, supervisors and bots in one chat.
pub const MAX_MEMBERS: usize = 50;
/// The maximum number of events in one reply of a store. The next events follow with the next request.
pub const MAX_EVENTS_PER_REPLY: usize = 500;
/// The maximum size of the events in one reply of a store; one event is always returned.
pub const MAX_EVENT_BYTES_PER_REPLY: usize = 256 * 1024;
/// The maximum position in a request and of a window. Larger ones are not exact in Lua.
pub const MAX_POSITION: u64 = 1 << 53;

/// A chat to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChat {
    /// The name of its configured service.
    pub definition: String,
    /// Identifies the chat to clients. Random.
    pub session_id: String,
    /// Identifies the client in the chat. Random.
    pub user_id: String,
    /// Random, never reused.
    pub secure_key: String,
    /// The nickname of the client, without control characters.
    pub nickname: String,
    /// The subject, without control characters; may be empty.
    pub subject: String,
    /// The maximum number of events. Only notices that parties have left can exceed it.
    pub max_events: u64,
    /// The maximum size of a message in bytes.
    pub max_message_bytes: u64,
    /// The time without any request or connection of the client after which it has left.
    pub client_timeout: Duration,
}

/// The state of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatState {
    /// No agent is in it.
    Waiting,
    /// At least one agent, supervisor or bot is in it.
    Active,
    /// It has ended. Its transcript remains until the service ends.
    Ended,
}

/// An agent, supervisor or bot in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMember {
    /// The user name of its credentials.
    pub agent: String,
    /// Its role.
    pub party: Party,
    /// Its nickname, which the others see.
    pub nickname: String,
    /// Whether it is typing.
    pub typing: bool,
}

/// A chat, and a part of its transcript without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// The name of its configured service.
    pub definition: String,
    /// See [`NewChat::session_id`].
    pub session_id: String,
    /// See [`NewChat::user_id`].
    pub user_id: String,
    /// See [`NewChat::secure_key`].
    pub secure_key: String,
    /// The nickname of the client.
    pub nickname: String,
    /// The subject; may be empty.
    pub subject: String,
    /// The time of the start, on the clock of the store.
    pub started: Timestamp,
    /// The time of the last event.
    pub last_event: Timestamp,
    /// The state.
    pub state: ChatState,
    /// The position of the last event of the chat.
    pub last: u64,
    /// The position that precedes `events`.
    pub after: u64,
    /// The events at the positions `after + 1`, `after + 2`, and so on, up to a limit.
    pub events: Vec<ChatEvent>,
    /// See [`NewChat::client_timeout`].
    pub client_timeout: Duration,
    /// Whether the client is typing. It takes no position.
    pub client_typing: bool,
    /// The agents, supervisors and bots in it.
    pub members: Vec<ChatMember>,
    /// The time from the start to the first message of an agent, if there is one.
    pub first_answer: Option<Duration>,
}

impl Chat {
    /// The position of the last of `events`, or the requested position if there are none.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.after + self.events.len() as u64
    }

    /// Whether `events` ends with the last event of the chat.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.position() >= self.last
    }

    /// The chat in a list; `id` is that of its service.
    #[must_use]
    pub fn summary(&self, id: &ServiceId) -> ChatSummary {
        let agents = self.members.iter().map(|member| member.agent.clone());
        ChatSummary {
            id: id.clone(),
            definition: self.definition.clone(),
            nickname: self.nickname.clone(),
            subject: self.subject.clone(),
            state: self.state,
            started: self.started,
            last_event: self.last_event,
            last: self.last,
            agents: agents.collect(),
        }
    }

    /// Whether the chat has ended and no events follow.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == ChatState::Ended && self.is_complete()
    }
}
