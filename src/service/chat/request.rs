//! The requests of clients in the paths `/genesys/1/service/{id}/ixn/chat...`.

use crate::model::ServiceId;

/// The request that starts a chat. Those of a started chat begin with it.
const START: &str = "ixn/chat";

/// A request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum ChatRequest {
    /// Starts the chat.
    Start,
    /// Reads new events.
    Refresh,
    /// Sends a message.
    Send,
    /// Starts or stops typing.
    Typing(bool),
    /// Ends the chat.
    Disconnect,
    /// Reads the whole transcript.
    Transcript,
}

impl ChatRequest {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Start, ""),
        (Self::Refresh, "/refresh"),
        (Self::Send, "/send"),
        (Self::Typing(true), "/startTyping"),
        (Self::Typing(false), "/stopTyping"),
        (Self::Disconnect, "/disconnect"),
        (Self::Transcript, "/transcript"),
    ];

    /// Parses the request in a path.
    pub(in crate::service) fn parse(request: &str) -> Option<Self> {
        let rest = request.strip_prefix(START)?;
        let found = Self::ALL.iter().find(|(_, name)| *name == rest);
        found.map(|(request, _)| *request)
    }

    /// The path of the request for a service.
    pub(super) fn path(self, id: &ServiceId) -> String {
        let found = Self::ALL.iter().find(|(request, _)| *request == self);
        chat_path(id) + found.map_or("", |(_, name)| name)
    }

    /// The names of all requests, for messages.
    pub(in crate::service) fn names() -> String {
        let names = Self::ALL.map(|(_, name)| format!("\"{START}{name}\""));
        names.join(", ")
    }
}

/// The path that starts the chat of a service.
pub(in crate::service) fn chat_path(id: &ServiceId) -> String {
    format!("/genesys/1/service/{id}/{START}")
}
