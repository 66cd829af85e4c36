//! The actions of the parties of a chat, and their results.

use super::{Chat, Party};
use crate::model::RunningService;

/// The part of the transcript that a reply contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatWindow {
    /// The events after this position.
    After(u64),
    /// The events after the last refresh of the client.
    AfterRefresh,
}

/// The arguments of [`ChatAction::Join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentJoin {
    /// The user name.
    pub agent: String,
    /// The nickname, without control characters.
    pub nickname: String,
    /// The role.
    pub party: Party,
    /// Refuses if an agent, or another member of the same role, is in the chat.
    pub exclusive: bool,
    /// Removes the other agents from the chat, in the same update.
    pub transfer: bool,
}

/// An action of a party. Actions of the client also record that it is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatAction {
    /// Nothing, by a listener that is not a party.
    Read,
    /// The client is connected.
    ClientPresent,
    /// The client reads the transcript; a message is sent first. The end of the reply is the position of
    /// [`ChatWindow::AfterRefresh`].
    ClientRefresh(Option<String>),
    /// The client sends a message.
    ClientMessage(String),
    /// The client starts or stops typing.
    ClientTyping(bool),
    /// The client ends the chat; a message is sent first.
    ClientEnd(Option<String>),
    /// The client has left, unless it was present within its timeout.
    ClientTimeout,
    /// An agent joins. If it is in the chat, it stays with its role and nickname.
    Join(AgentJoin),
    /// The agent sends a message.
    AgentMessage(String, String),
    /// The agent starts or stops typing.
    AgentTyping(String, bool),
    /// The agent leaves. It changes nothing if the agent is not in the chat.
    Leave(String),
    /// The agent ends the chat.
    AgentEnd(String),
}

/// What an action did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatOutcome {
    /// It was performed, or had nothing to change.
    Done,
    /// The chat had ended. Nothing changed.
    Ended,
    /// The transcript has its maximum number of events, or the chat its maximum number of members. Nothing changed.
    Full,
    /// The message is longer than the limit in bytes, which is attached. Nothing changed.
    MessageTooLong(u64),
    /// Another agent is in the chat. Nothing changed.
    Taken,
    /// The agent is not in the chat. Nothing changed.
    NotMember,
}

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatReply {
    /// There is no active service with this id.
    ServiceNotFound,
    /// The service has no chat. What a request to its backend needs is attached.
    NotStarted(RunningService),
    /// The outcome, and the chat after it.
    Chat(ChatOutcome, Box<Chat>),
}

impl ChatReply {
    /// The chat, if there is one.
    #[must_use]
    pub fn chat(self) -> Option<Chat> {
        match self {
            Self::Chat(_, chat) => Some(*chat),
            Self::ServiceNotFound | Self::NotStarted(_) => None,
        }
    }
}
