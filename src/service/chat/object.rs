//! The chat object: the JSON of every response and every push.

use jiff::Timestamp as IsoTimestamp;
use serde::{Serialize, Serializer};

use crate::model::{
    Timestamp,
    chat::{Chat, ChatEvent},
};

/// The members of a chat object that clients read as its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChatObjectState {
    /// The response to a start.
    Connected,
    /// A part of the transcript; more may follow.
    Transcript,
    /// The chat has ended, and no more events follow.
    Disconnected,
}

/// A chat object: a part of a transcript without gaps.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatObject<'a> {
    chat_ixn_state: ChatObjectState,
    chat_session_id: &'a str,
    transcript_position: u64,
    started_at: String,
    chat_service_message: &'static str,
    #[serde(serialize_with = "serialize_rows")]
    transcript_to_show: &'a [ChatEvent],
}

impl<'a> ChatObject<'a> {
    /// The object for `chat` and its events.
    #[must_use]
    pub fn new(chat: &'a Chat) -> Self {
        let (chat_ixn_state, chat_service_message) = if chat.has_ended() {
            (ChatObjectState::Disconnected, "Chat session has ended")
        } else {
            (ChatObjectState::Transcript, "Chat service is available")
        };
        Self {
            chat_ixn_state,
            chat_session_id: &chat.session_id,
            transcript_position: chat.position(),
            started_at: iso_seconds(chat.started),
            chat_service_message,
            transcript_to_show: &chat.events,
        }
    }

    /// The object that responds to a start.
    #[must_use]
    pub fn connected(mut self) -> Self {
        if self.chat_ixn_state == ChatObjectState::Transcript {
            self.chat_ixn_state = ChatObjectState::Connected;
        }
        self
    }
}

/// ISO 8601 in UTC, in whole seconds.
fn iso_seconds(time: Timestamp) -> String {
    let time = IsoTimestamp::from_millisecond(time.millis()).unwrap_or(IsoTimestamp::MAX);
    format!("{time:.0}")
}

/// Each event is five strings: event, nickname, text, seconds since the start, party.
fn serialize_rows<S: Serializer>(events: &[ChatEvent], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(events.iter().map(|event| {
        let seconds = event.at.as_secs().to_string();
        (
            event.kind.name(),
            event.nickname.as_str(),
            event.text(),
            seconds,
            event.party.name(),
        )
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::chat::{ChatEventKind, ChatState, Party};

    fn chat(state: ChatState, last: u64) -> Chat {
        let event = ChatEvent {
            kind: ChatEventKind::Joined,
            party: Party::Client,
            nickname: "Ann".to_owned(),
            text: String::new(),
            at: Duration::from_millis(4_999),
        };
        Chat {
            definition: "chat".to_owned(),
            session_id: "s1".to_owned(),
            user_id: "u1".to_owned(),
            secure_key: "k1".to_owned(),
            nickname: "Ann".to_owned(),
            subject: String::new(),
            started: Timestamp::from_millis(1_770_763_163_999),
            last_event: Timestamp::from_millis(1_770_763_168_998),
            state,
            last,
            after: 2,
            events: vec![event],
            client_timeout: Duration::from_secs(90),
            client_typing: false,
            members: Vec::new(),
            first_answer: None,
        }
    }

    #[test]
    fn members_and_rows_have_the_types_that_clients_expect() {
        let json = serde_json::to_string(&ChatObject::new(&chat(ChatState::Waiting, 3))).unwrap();
        let expected = concat!(
            r#"{"chatIxnState":"TRANSCRIPT","chatSessionId":"s1","transcriptPosition":3,"#,
            r#""startedAt":"2026-02-10T22:39:23Z","chatServiceMessage":"Chat service is available","#,
            r#""transcriptToShow":[["Notice.Joined","Ann","has joined the session","4","CLIENT"]]}"#,
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn an_ended_chat_is_disconnected_once_all_events_are_shown() {
        let state = |chat: Chat| ChatObject::new(&chat).chat_ixn_state;
        assert_eq!(
            state(chat(ChatState::Ended, 4)),
            ChatObjectState::Transcript
        );
        assert_eq!(
            state(chat(ChatState::Ended, 3)),
            ChatObjectState::Disconnected
        );
        let started = chat(ChatState::Waiting, 3);
        let object = ChatObject::new(&started).connected();
        assert_eq!(object.chat_ixn_state, ChatObjectState::Connected);
    }
}
