//! The events of a transcript.

use std::time::Duration;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatEventKind {
    /// A message.
    Message,
    /// A party has joined.
    Joined,
    /// A party has left.
    Left,
    /// An agent has started typing.
    TypingStarted,
    /// An agent has stopped typing.
    TypingStopped,
}

impl ChatEventKind {
    /// The kinds with their names in the API, and the letters that stores use.
    const ALL: [(Self, &'static str, char); 5] = [
        (Self::Message, "Message.Text", 'M'),
        (Self::Joined, "Notice.Joined", 'J'),
        (Self::Left, "Notice.Left", 'L'),
        (Self::TypingStarted, "Notice.TypingStarted", 'T'),
        (Self::TypingStopped, "Notice.TypingStopped", 'S'),
    ];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        let kind = Self::ALL.iter().find(|(kind, ..)| *kind == self);
        kind.map_or("", |(_, name, _)| name)
    }

    /// Parses the letter that stores use.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        let kind = Self::ALL.iter().find(|(_, _, other)| *other == letter);
        kind.map(|(kind, ..)| *kind)
    }

    /// The text of a notice; `None` for a message.
    #[must_use]
    pub fn notice(self) -> Option<&'static str> {
        match self {
            Self::Message => None,
            Self::Joined => Some("has joined the session"),
            Self::Left => Some("has left the session"),
            Self::TypingStarted => Some("is typing"),
            Self::TypingStopped => Some("stopped typing"),
        }
    }
}

/// The role of a party in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The customer.
    Client,
    /// An agent.
    Agent,
    /// A supervisor.
    Supervisor,
    /// A program, such as a bot.
    External,
}

impl Party {
    /// The roles that can join a chat.
    pub const JOINING: [Self; 3] = [Self::Agent, Self::Supervisor, Self::External];

    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "CLIENT",
            Self::Agent => "AGENT",
            Self::Supervisor => "SUPERVISOR",
            Self::External => "EXTERNAL",
        }
    }

    /// Parses a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = [Self::Client].into_iter().chain(Self::JOINING);
        all.find(|party| party.name().eq_ignore_ascii_case(name))
    }
}

/// An event of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatEvent {
    /// The kind.
    pub kind: ChatEventKind,
    /// The role of its author.
    pub party: Party,
    /// The nickname of its author.
    pub nickname: String,
    /// The text of a message; empty for a notice.
    pub text: String,
    /// The time since the start of the chat.
    pub at: Duration,
}

impl ChatEvent {
    /// The text of the message, or of the notice.
    #[must_use]
    pub fn text(&self) -> &str {
        self.kind.notice().unwrap_or(&self.text)
    }
}
