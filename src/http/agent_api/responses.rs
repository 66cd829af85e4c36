//! Responses with chats.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    model::{
        ServiceId,
        chat::{Chat, ChatMember, ChatState, ChatSummary, Party},
    },
    service::ChatObject,
};

/// `waiting`: no agent is in the chat
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum ChatStateText {
    Waiting,
    Active,
    Ended,
}

impl From<ChatState> for ChatStateText {
    fn from(state: ChatState) -> Self {
        match state {
            ChatState::Waiting => Self::Waiting,
            ChatState::Active => Self::Active,
            ChatState::Ended => Self::Ended,
        }
    }
}

/// The role of a party
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::http) enum PartyText {
    Client,
    Agent,
    Supervisor,
    External,
}

impl From<Party> for PartyText {
    fn from(party: Party) -> Self {
        match party {
            Party::Client => Self::Client,
            Party::Agent => Self::Agent,
            Party::Supervisor => Self::Supervisor,
            Party::External => Self::External,
        }
    }
}

/// A chat in a list
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatSummary)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct ChatSummaryResponse<'a> {
    /// The id of its service
    id: &'a str,
    /// The name of its configured service
    definition: &'a str,
    /// The nickname of the client
    nickname: &'a str,
    subject: &'a str,
    state: ChatStateText,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    last_event_at: String,
    /// The position of the last event
    transcript_position: u64,
    /// The user names of the agents in it
    agents: &'a [String],
}

impl<'a> From<&'a ChatSummary> for ChatSummaryResponse<'a> {
    fn from(chat: &'a ChatSummary) -> Self {
        Self {
            id: chat.id.as_str(),
            definition: &chat.definition,
            nickname: &chat.nickname,
            subject: &chat.subject,
            state: chat.state.into(),
            started_at: chat.started.to_string(),
            last_event_at: chat.last_event.to_string(),
            transcript_position: chat.last,
            agents: &chat.agents,
        }
    }
}

/// An agent, supervisor or bot in a chat
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatMember)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChatMemberResponse<'a> {
    /// Its user name
    agent: &'a str,
    party: PartyText,
    nickname: &'a str,
    typing: bool,
}

impl<'a> From<&'a ChatMember> for ChatMemberResponse<'a> {
    fn from(member: &'a ChatMember) -> Self {
        Self {
            agent: &member.agent,
            party: member.party.into(),
            nickname: &member.nickname,
            typing: member.typing,
        }
    }
}

/// A chat with a part of its transcript, without gaps
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentChat)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AgentChatResponse<'a> {
    /// The id of its service
    id: &'a str,
    /// The name of its configured service
    definition: &'a str,
    /// The nickname of the client
    nickname: &'a str,
    subject: &'a str,
    state: ChatStateText,
    members: Vec<ChatMemberResponse<'a>>,
    client_typing: bool,
    #[serde(flatten)]
    #[schema(value_type = ChatObjectResponse)]
    chat: ChatObject<'a>,
}

impl<'a> AgentChatResponse<'a> {
    pub(in crate::http) fn new(id: &'a ServiceId, chat: &'a Chat) -> Self {
        Self {
            id: id.as_str(),
            definition: &chat.definition,
            nickname: &chat.nickname,
            subject: &chat.subject,
            state: chat.state.into(),
            members: chat.members.iter().map(Into::into).collect(),
            client_typing: chat.client_typing,
            chat: ChatObject::new(chat),
        }
    }
}

/// A part of a transcript, without gaps
#[derive(ToSchema)]
#[schema(as = ChatObject, rename_all = "camelCase")]
#[expect(dead_code, reason = "only described: the service layer serializes it")]
pub(in crate::http) struct ChatObjectResponse {
    #[schema(inline)]
    chat_ixn_state: ChatIxnState,
    chat_session_id: String,
    /// The position of the last event in `transcriptToShow`, or the requested position if there is none
    transcript_position: u64,
    #[schema(format = DateTime)]
    started_at: String,
    chat_service_message: String,
    /// Events: name, nickname, text, seconds since `startedAt`, party
    #[schema(value_type = Vec<Vec<String>>)]
    transcript_to_show: Vec<[String; 5]>,
}

/// `DISCONNECTED` if the chat has ended and there are no more events
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "only described")]
enum ChatIxnState {
    Connected,
    Transcript,
    Disconnected,
}
