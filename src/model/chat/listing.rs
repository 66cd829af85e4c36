//! Lists of chats, and signals about changes of them.

use super::ChatState;
use crate::model::{Cursor, Revision, ServiceId, Timestamp};

/// A chat in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSummary {
    /// The id of its service.
    pub id: ServiceId,
    /// The name of the configured service.
    pub definition: String,
    /// The nickname of the client.
    pub nickname: String,
    /// The subject; may be empty.
    pub subject: String,
    /// The state.
    pub state: ChatState,
    /// The time of the start.
    pub started: Timestamp,
    /// The time of the last event.
    pub last_event: Timestamp,
    /// The position of the last event.
    pub last: u64,
    /// The user names of the agents in it.
    pub agents: Vec<String>,
}

/// What a poll compares to detect changes. Each change that listeners are notified of changes it. That of a storage has
/// only its revision, as `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatVersion {
    /// The position of the last event.
    pub last: u64,
    /// Whether the chat has ended.
    pub ended: bool,
    /// Whether the client is typing.
    pub client_typing: bool,
}

impl ChatVersion {
    /// That of a storage with this revision.
    #[must_use]
    pub fn of_storage(revision: Revision) -> Self {
        Self {
            last: revision.number(),
            ended: false,
            client_typing: false,
        }
    }
}

/// A page of a list of chats, by the time of their start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChats {
    /// The chats. A page may have fewer than the limit, or none, although there is a next page.
    pub chats: Vec<ChatSummary>,
    /// `None` on the last page. [`Cursor::end`] is the time of the start.
    pub next: Option<Cursor>,
}

/// A signal that chats have changed. Signals are hints: state is always read from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatSignal {
    /// The chat of this service has changed.
    Changed(ServiceId),
    /// Signals may have been lost: any chat may have changed.
    Lost,
}
