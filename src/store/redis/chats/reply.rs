//! The replies of the chat scripts.

use std::time::Duration;

use redis::{FromRedisValue, ParsingError, Value};

use crate::{
    model::{
        RunningService, ServiceId, StoreError, Timestamp,
        chat::{
            Chat, ChatEvent, ChatEventKind, ChatMember, ChatOutcome, ChatState, ChatSummary, Party,
        },
    },
    store::redis::backend_session::{RunningServiceFields, parse_running_service},
};

/// A parsed reply. Its timestamps are those of the server with the chat.
pub(super) enum ParsedReply {
    ServiceNotFound,
    NotStarted(RunningService),
    /// Nothing changed: call again with the outbox.
    OutboxNeeded,
    Chat {
        outcome: ChatOutcome,
        chat: Box<Chat>,
        /// Whether to add the chat to its list, in case it is missing there.
        must_list: bool,
    },
}

impl ParsedReply {
    pub(super) fn must_list(&self) -> bool {
        matches!(
            self,
            Self::Chat {
                must_list: true,
                ..
            }
        )
    }
}

impl FromRedisValue for ParsedReply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let parts = Vec::<Value>::from_redis_value(value)?;
        let invalid = |what: &str| ParsingError::from(format!("chat script reply: {what}"));
        let mut parts = parts.into_iter();
        let mut next = || parts.next().ok_or_else(|| invalid("incomplete"));
        match i64::from_redis_value(next()?)? {
            0 => return Ok(Self::ServiceNotFound),
            1 => {}
            2 => {
                let fields = RunningServiceFields::from_redis_value(next()?)?;
                let running = parse_running_service(fields);
                return running
                    .map(Self::NotStarted)
                    .ok_or_else(|| invalid("service"));
            }
            4 => return Ok(Self::OutboxNeeded),
            other => return Err(invalid(&format!("status {other}"))),
        }
        let outcome = i64::from_redis_value(next()?)?;
        let fields = Vec::<Option<String>>::from_redis_value(next()?)?;
        let after = u64::from_redis_value(next()?)?;
        let events = Vec::<String>::from_redis_value(next()?)?;
        let must_list = bool::from_redis_value(next()?)?;
        let events = events.iter().map(|text| {
            parse_event(text).ok_or_else(|| invalid(&format!("an event of {} bytes", text.len())))
        });
        let events = events.collect::<Result<Vec<ChatEvent>, ParsingError>>()?;
        let (chat, max_bytes) =
            parse_chat(fields, after, events).ok_or_else(|| invalid("fields"))?;
        let outcome = match outcome {
            0 => ChatOutcome::Done,
            1 => ChatOutcome::Ended,
            2 => ChatOutcome::Full,
            3 => ChatOutcome::MessageTooLong(max_bytes),
            4 => ChatOutcome::Taken,
            5 => ChatOutcome::NotMember,
            other => return Err(invalid(&format!("outcome {other}"))),
        };
        Ok(Self::Chat {
            outcome,
            chat: Box::new(chat),
            must_list,
        })
    }
}

/// Parses the fields of a reply, in the order of `scripts/chats.lua`, and returns the chat and the maximum size of its
/// messages.
fn parse_chat(
    fields: Vec<Option<String>>,
    after: u64,
    events: Vec<ChatEvent>,
) -> Option<(Chat, u64)> {
    let mut fields = fields.into_iter();
    let mut next = || fields.next().flatten();
    let (definition, session_id, user_id, secure_key) = (next()?, next()?, next()?, next()?);
    let (nickname, subject) = (next()?, next()?);
    let (started, last_event) = (parse_time(&next()?)?, parse_time(&next()?)?);
    let (last, ended, members) = (next()?.parse().ok()?, next()?, parse_members(&next()?)?);
    let (typing, first_answer, max_bytes) = (next()?, next()?, next()?.parse().ok()?);
    let client_timeout = Duration::from_millis(next()?.parse().ok()?);
    let first_answer = match first_answer.as_str() {
        "" => None,
        millis => Some(Duration::from_millis(millis.parse().ok()?)),
    };
    let chat = Chat {
        definition,
        session_id,
        user_id,
        secure_key,
        nickname,
        subject,
        started,
        last_event,
        state: chat_state(&ended, &members),
        last,
        after,
        events,
        client_timeout,
        client_typing: typing == "1",
        members,
        first_answer,
    };
    Some((chat, max_bytes))
}

/// Parses the fields [`CHAT_SUMMARY`](super::keys::CHAT_SUMMARY); `None` if there is no chat.
pub(super) fn parse_summary(
    id: &ServiceId,
    fields: Vec<Option<String>>,
) -> Result<Option<ChatSummary>, StoreError> {
    if fields.first().is_none_or(Option::is_none) {
        return Ok(None);
    }
    let corrupt = || StoreError::Corrupt(format!("chat of service {}", id.redacted()));
    let mut fields = fields.into_iter();
    let mut next = || fields.next().flatten();
    let mut parse = || {
        let (definition, nickname, subject) = (next()?, next()?, next()?);
        let (started, last_event) = (parse_time(&next()?)?, parse_time(&next()?)?);
        let (last, ended, members) = (next()?.parse().ok()?, next()?, parse_members(&next()?)?);
        Some(ChatSummary {
            id: id.clone(),
            definition,
            nickname,
            subject,
            state: chat_state(&ended, &members),
            started,
            last_event,
            last,
            agents: members.into_iter().map(|member| member.agent).collect(),
        })
    };
    parse().map(Some).ok_or_else(corrupt)
}

fn chat_state(ended: &str, members: &[ChatMember]) -> ChatState {
    match (ended == "1", members.is_empty()) {
        (true, _) => ChatState::Ended,
        (false, true) => ChatState::Waiting,
        (false, false) => ChatState::Active,
    }
}

fn parse_time(millis: &str) -> Option<Timestamp> {
    millis.parse().ok().map(Timestamp::from_millis)
}

fn parse_party(letter: char) -> Option<Party> {
    match letter {
        'C' => Some(Party::Client),
        'A' => Some(Party::Agent),
        'S' => Some(Party::Supervisor),
        'X' => Some(Party::External),
        _ => None,
    }
}

fn parse_members(text: &str) -> Option<Vec<ChatMember>> {
    let parse = |line: &str| {
        let mut fields = line.splitn(4, '\t');
        let (agent, party) = (fields.next()?, fields.next()?);
        Some(ChatMember {
            agent: agent.to_owned(),
            party: parse_party(party.chars().next()?)?,
            typing: fields.next()? == "1",
            nickname: fields.next()?.to_owned(),
        })
    };
    text.lines().map(parse).collect()
}

/// Parses an event: its kind, its party, the milliseconds since the start, a line feed, the nickname, a line feed and
/// the text.
fn parse_event(text: &str) -> Option<ChatEvent> {
    let mut lines = text.splitn(3, '\n');
    let (head, nickname, text) = (lines.next()?, lines.next()?, lines.next()?);
    let mut letters = head.chars();
    let (kind, party) = (letters.next()?, letters.next()?);
    Some(ChatEvent {
        kind: ChatEventKind::from_letter(kind)?,
        party: parse_party(party)?,
        nickname: nickname.to_owned(),
        text: text.to_owned(),
        at: Duration::from_millis(letters.as_str().parse().ok()?),
    })
}
