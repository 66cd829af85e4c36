//! What readers see of a chat.

use super::ChatRecord;
use crate::model::{
    ServiceId,
    chat::{
        Chat, ChatEvent, ChatState, ChatSummary, ChatVersion, ChatWindow,
        MAX_EVENT_BYTES_PER_REPLY, MAX_EVENTS_PER_REPLY, MAX_POSITION,
    },
};

impl ChatRecord {
    fn state(&self) -> ChatState {
        match (self.ended, self.members.is_empty()) {
            (true, _) => ChatState::Ended,
            (false, true) => ChatState::Waiting,
            (false, false) => ChatState::Active,
        }
    }

    /// The chat with the events of `window`. If `is_refresh`, the next refresh of the client continues after them.
    pub(in crate::store::memory) fn view(&mut self, window: ChatWindow, is_refresh: bool) -> Chat {
        let after = match window {
            ChatWindow::After(position) => position.min(MAX_POSITION),
            ChatWindow::AfterRefresh => self.refreshed,
        };
        let mut events = Vec::new();
        let mut bytes = 0;
        let skipped = usize::try_from(after).unwrap_or(usize::MAX);
        for event in self.events.iter().skip(skipped).take(MAX_EVENTS_PER_REPLY) {
            bytes += stored_bytes(event);
            if bytes > MAX_EVENT_BYTES_PER_REPLY && !events.is_empty() {
                break;
            }
            events.push(event.clone());
        }
        let last = self.events.len() as u64;
        if is_refresh {
            self.refreshed = last.min(after.saturating_add(events.len() as u64));
        }
        Chat {
            definition: self.new.definition.clone(),
            session_id: self.new.session_id.clone(),
            user_id: self.new.user_id.clone(),
            secure_key: self.new.secure_key.clone(),
            nickname: self.new.nickname.clone(),
            subject: self.new.subject.clone(),
            started: self.started,
            last_event: self.last_event,
            state: self.state(),
            last,
            after,
            events,
            client_timeout: self.new.client_timeout,
            client_typing: self.client_typing,
            members: self.members.clone(),
            first_answer: self.first_answer,
        }
    }

    pub(in crate::store::memory) fn version(&self) -> ChatVersion {
        ChatVersion {
            last: self.events.len() as u64,
            ended: self.ended,
            client_typing: self.client_typing,
        }
    }

    /// The chat in a list.
    pub(in crate::store::memory) fn summary(&self, id: &ServiceId) -> ChatSummary {
        ChatSummary {
            id: id.clone(),
            definition: self.new.definition.clone(),
            nickname: self.new.nickname.clone(),
            subject: self.new.subject.clone(),
            state: self.state(),
            started: self.started,
            last_event: self.last_event,
            last: self.events.len() as u64,
            agents: self
                .members
                .iter()
                .map(|member| member.agent.clone())
                .collect(),
        }
    }
}

/// The size of an event as Redis stores it, so that the replies of both stores end at the same event.
fn stored_bytes(event: &ChatEvent) -> usize {
    let at = event.at.as_millis().to_string();
    "MC\n\n".len() + at.len() + event.nickname.len() + event.text.len()
}
