//! The requests of agents on a chat.

use tracing::warn;

use super::Agents;
use crate::{
    model::{
        ServiceId,
        chat::{AgentJoin, Chat, ChatAction, MAX_POSITION, Party},
    },
    service::{
        Actor, FormData, ServiceError,
        admin::{AuditAction, AuditRecord},
        chat::fields::transcript_position,
        parse_value::parse_boolean,
        single_sign_on::NAME_PREFIX,
    },
};

/// The maximum number of characters of a nickname.
const MAX_NICKNAME_CHARACTERS: usize = 64;

/// A request of an agent on a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentRequest {
    /// Joins the chat: `nickname`, `party`, `exclusive` and `transfer`.
    Join,
    /// Sends `message`.
    Send,
    /// Starts or stops typing: `typing`.
    Typing,
    /// Leaves the chat.
    Leave,
    /// Ends the chat.
    End,
}

impl AgentRequest {
    /// The action of `agent`, with the fields of `form`.
    fn action(self, agent: &str, form: &FormData) -> Result<ChatAction, ServiceError> {
        let agent = agent.to_owned();
        Ok(match self {
            Self::Join => ChatAction::Join(parse_join(agent, form)?),
            Self::Send => {
                let message = form.text("message").filter(|text| !text.is_empty());
                let message = message.ok_or_else(|| invalid("message is missing or empty"))?;
                ChatAction::AgentMessage(agent, message.to_owned())
            }
            Self::Typing => ChatAction::AgentTyping(agent, flag(form, "typing", true)?),
            Self::Leave => ChatAction::Leave(agent),
            Self::End => ChatAction::AgentEnd(agent),
        })
    }

    /// The action in the audit log, which does not contain messages.
    fn audit_action(self) -> Option<AuditAction> {
        match self {
            Self::Join => Some(AuditAction::Join),
            Self::Leave => Some(AuditAction::Leave),
            Self::End => Some(AuditAction::End),
            Self::Send | Self::Typing => None,
        }
    }
}

impl Agents {
    /// Performs a request of an agent, and returns the chat after it with the events after the field
    /// `transcriptPosition`.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no such service, or it has no chat;
    /// [`ServiceError::InvalidParameter`], [`ServiceError::ChatEnded`], [`ServiceError::ChatTaken`],
    /// [`ServiceError::NotInChat`], [`ServiceError::ChatFull`], [`ServiceError::MessageTooLong`].
    pub async fn request(
        &self,
        id: &ServiceId,
        request: AgentRequest,
        form: &FormData,
        by: &Actor,
    ) -> Result<Box<Chat>, ServiceError> {
        let action = request.action(&by.name, form)?;
        let position = transcript_position(form)?.unwrap_or(0);
        let audited = match request.audit_action() {
            Some(audited) if self.changes_members(id, request, &by.name).await? => Some(audited),
            _ => None,
        };
        let chat = self.update(id, &action, position).await?;
        if let Some(audited) = audited {
            self.append_audit_event(id, audited, by).await;
        }
        if request == AgentRequest::Send {
            self.record_first_answer(&chat);
        }
        Ok(chat)
    }

    /// Whether a join, a leave or an end of this agent changes the chat.
    async fn changes_members(
        &self,
        id: &ServiceId,
        request: AgentRequest,
        agent: &str,
    ) -> Result<bool, ServiceError> {
        if request == AgentRequest::End {
            return Ok(true);
        }
        let chat = self.update(id, &ChatAction::Read, MAX_POSITION).await?;
        let is_member = chat.members.iter().any(|member| member.agent == agent);
        Ok(is_member == (request == AgentRequest::Leave))
    }

    /// Writes an entry of the audit log after its change, which an error does not undo.
    async fn append_audit_event(&self, id: &ServiceId, action: AuditAction, by: &Actor) {
        let append = async {
            let event = AuditRecord::of_service(by, self.store.now()?, action, "chat", id);
            let max_entries = self.context.audit_log_entries;
            event.append_to(&*self.store, max_entries).await
        };
        if let Err(error) = append.await {
            warn!(id = %id.redacted(), ?action, %error, "entry of the audit log not written");
        }
    }

    /// Records the time to the first answer if the last event is that answer.
    fn record_first_answer(&self, chat: &Chat) {
        let last_event = chat.last_event.since(chat.started);
        if let Some(first) = chat.first_answer.filter(|first| *first == last_event) {
            self.context.metrics.answered(first);
        }
    }
}

fn parse_join(agent: String, form: &FormData) -> Result<AgentJoin, ServiceError> {
    // Clients see the nickname.
    let name = agent.strip_prefix(NAME_PREFIX).unwrap_or(&agent);
    let nickname = form.text("nickname").unwrap_or(name).trim();
    let characters = nickname.chars().count();
    if !(1..=MAX_NICKNAME_CHARACTERS).contains(&characters) || nickname.contains(is_line_or_control)
    {
        return Err(invalid(&format!(
            "nickname is invalid; expected 1 to {MAX_NICKNAME_CHARACTERS} characters without control characters"
        )));
    }
    let party = form.text("party").unwrap_or("AGENT").trim();
    let party = Party::from_name(party).filter(|party| Party::JOINING.contains(party));
    let party =
        party.ok_or_else(|| invalid("party is invalid; expected AGENT, SUPERVISOR or EXTERNAL"))?;
    let join = AgentJoin {
        nickname: nickname.to_owned(),
        agent,
        party,
        exclusive: flag(form, "exclusive", false)?,
        transfer: flag(form, "transfer", false)?,
    };
    if join.exclusive && join.transfer {
        return Err(invalid(
            "exclusive and transfer contradict each other; expected one of them",
        ));
    }
    Ok(join)
}

/// Whether a character is a control character, or separates lines.
fn is_line_or_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn flag(form: &FormData, name: &str, default: bool) -> Result<bool, ServiceError> {
    let given = form.text(name);
    given.map_or(Ok(default), |value| parse_boolean(name, value))
}

fn invalid(message: &str) -> ServiceError {
    ServiceError::InvalidParameter(message.to_owned())
}
