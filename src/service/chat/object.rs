//! The chat object: the JSON of every response and every push.

use jiff::Timestamp as IsoTimestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::request::{ChatRequest, chat_path};
use crate::model::{
    ServiceId, Timestamp,
    chat::{Chat, ChatEvent},
};

/// The `chatServiceMessage` of a chat that has ended.
const ENDED_MESSAGE: &str = "Chat session has ended";

/// The members of a chat object that clients read as its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum ChatObjectState {
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
            (ChatObjectState::Disconnected, ENDED_MESSAGE)
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

    /// The object that responds to the end of a chat, and to requests after it.
    #[must_use]
    pub(super) fn disconnected(mut self) -> Self {
        self.chat_ixn_state = ChatObjectState::Disconnected;
        self.chat_service_message = ENDED_MESSAGE;
        self
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

/// The address under which clients reach this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// The name or IP address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it is HTTPS.
    pub tls: bool,
}

/// A chat object with what older clients need to address the chat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VerboseChatObject<'a> {
    #[serde(flatten)]
    object: ChatObject<'a>,
    user_id: &'a str,
    secure_key: &'a str,
    check_chat_service_load_balancer_path: String,
    chat_server_load_balancer_alias: &'a str,
    chat_server_host: &'a str,
    chat_web_api_port: u16,
    #[serde(rename = "isTLSrequired")]
    is_tls_required: bool,
    client_time_zone_offset: i32,
    #[serde(rename = "_chatIxnAPI_SEND_URL")]
    send_url: String,
    #[serde(rename = "_chatIxnAPI_REFRESH_URL")]
    refresh_url: String,
    #[serde(rename = "_chatIxnAPI_START_TYPING_URL")]
    start_typing_url: String,
    #[serde(rename = "_chatIxnAPI_STOP_TYPING_URL")]
    stop_typing_url: String,
    #[serde(rename = "_chatIxnAPI_DISCONNECT_URL")]
    disconnect_url: String,
    #[serde(rename = "_chatIxnAPI_REFRESH_FROM_START_URL")]
    refresh_from_start_url: String,
}

impl<'a> ChatObject<'a> {
    /// Adds what older clients need to address the chat.
    pub(super) fn verbose(
        self,
        id: &ServiceId,
        chat: &'a Chat,
        address: &'a PublicAddress,
    ) -> VerboseChatObject<'a> {
        let refresh_url = ChatRequest::Refresh.path(id);
        VerboseChatObject {
            object: self,
            user_id: &chat.user_id,
            secure_key: &chat.secure_key,
            check_chat_service_load_balancer_path: chat_path(id),
            chat_server_load_balancer_alias: &address.host,
            chat_server_host: &address.host,
            chat_web_api_port: address.port,
            is_tls_required: address.tls,
            client_time_zone_offset: 0,
            send_url: ChatRequest::Send.path(id),
            refresh_from_start_url: format!("{refresh_url}?transcriptPosition=0"),
            refresh_url,
            start_typing_url: ChatRequest::Typing(true).path(id),
            stop_typing_url: ChatRequest::Typing(false).path(id),
            disconnect_url: ChatRequest::Disconnect.path(id),
        }
    }
}

/// The whole transcript.
#[derive(Debug, Serialize)]
pub(super) struct TranscriptObject<'a> {
    #[serde(rename = "chatSessionId")]
    session_id: &'a str,
    #[serde(rename = "startedAt")]
    started_at: String,
    #[serde(rename = "transcriptPosition")]
    position: u64,
    #[serde(rename = "_transcript")]
    transcript: &'a [Box<RawValue>],
}

impl<'a> TranscriptObject<'a> {
    /// The object for a chat, whose last events are those of `chat`, with all `rows`.
    pub(super) fn new(chat: &'a Chat, rows: &'a [Box<RawValue>]) -> Self {
        Self {
            session_id: &chat.session_id,
            started_at: iso_seconds(chat.started),
            position: chat.position(),
            transcript: rows,
        }
    }

    /// The rows of the events of `chat`.
    pub(super) fn rows(chat: &Chat) -> impl Iterator<Item = Row<'_>> {
        chat.events.iter().map(row)
    }
}

/// An event: its kind, nickname, text, the seconds since the start, and the party.
type Row<'a> = (&'static str, &'a str, &'a str, String, &'static str);

fn row(event: &ChatEvent) -> Row<'_> {
    let seconds = event.at.as_secs().to_string();
    (
        event.kind.name(),
        &event.nickname,
        event.text(),
        seconds,
        event.party.name(),
    )
}

/// ISO 8601 in UTC, in whole seconds.
fn iso_seconds(time: Timestamp) -> String {
    let time = IsoTimestamp::from_millisecond(time.millis()).unwrap_or(IsoTimestamp::MAX);
    format!("{time:.0}")
}

fn serialize_rows<S: Serializer>(events: &[ChatEvent], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(events.iter().map(row))
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
