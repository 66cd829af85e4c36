//! Chats in the embedded store.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;

use super::{
    MemoryStore,
    state::{ChatRecord, ServiceRecord, State},
};
use crate::{
    model::{
        Cursor, ServiceId, StoreError, Timestamp,
        chat::{
            ChatAction, ChatOutcome, ChatReply, ChatSignal, ChatState, ChatSummary, ChatVersion,
            ChatWindow, ListedChats, NewChat,
        },
        cleanup_status::ChatCounts,
        comet::CometUser,
        service_of_storage_signal,
    },
    store::{ChatSignalSource, ChatStore},
};

#[async_trait]
impl ChatStore for MemoryStore {
    async fn start_chat(&self, id: &ServiceId, chat: &NewChat) -> Result<ChatReply, StoreError> {
        let required = chat.nickname.len() + chat.subject.len();
        let action = ChatAction::ClientPresent;
        let reply = self.with_chat(id, required, &action, |existing, now| {
            let record = existing.get_or_insert_with(|| ChatRecord::new(chat.clone(), now));
            let outcome = record.apply(&action, now);
            let chat = record.view(ChatWindow::After(0), false);
            ChatReply::Chat(outcome, Box::new(chat))
        });
        Ok(reply?.unwrap_or(ChatReply::ServiceNotFound))
    }

    async fn update_chat(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        window: ChatWindow,
    ) -> Result<ChatReply, StoreError> {
        let required = stored_text(action).map_or(0, str::len);
        let reply = self.with_chat(id, required, action, |existing, now| {
            let record = existing.as_mut()?;
            let outcome = record.apply(action, now);
            let is_refresh = matches!(action, ChatAction::ClientRefresh(_))
                && matches!(outcome, ChatOutcome::Done | ChatOutcome::Ended);
            let chat = record.view(window, is_refresh);
            Some(ChatReply::Chat(outcome, Box::new(chat)))
        });
        let Some(reply) = reply? else {
            return Ok(ChatReply::ServiceNotFound);
        };
        let running = self.state().service(id).map(ServiceRecord::running);
        let without_chat = running.map_or(ChatReply::ServiceNotFound, ChatReply::NotStarted);
        Ok(reply.unwrap_or(without_chat))
    }

    async fn chat_versions(
        &self,
        ids: &[ServiceId],
    ) -> Result<Vec<Option<ChatVersion>>, StoreError> {
        let state = self.state();
        let version = |id| {
            if let Some(user) = CometUser::from_signal_id(id) {
                return Some(self.comet_users().0.get(&user)?.version());
            }
            if let Some(id) = service_of_storage_signal(id) {
                return Some(ChatVersion::of_storage(state.service(&id)?.revision));
            }
            Some(state.service(id)?.chat.as_ref()?.version())
        };
        Ok(ids.iter().map(version).collect())
    }

    async fn list_chats(
        &self,
        ended: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ListedChats, StoreError> {
        let state = self.state();
        let all = state.services.iter();
        let summaries = all.filter_map(|(id, record)| Some(record.chat.as_ref()?.summary(id)));
        let mut chats: Vec<(Cursor, ChatSummary)> = summaries
            .filter(|chat| (chat.state == ChatState::Ended) == ended)
            .map(|chat| (cursor(&chat), chat))
            .filter(|(cursor, _)| after.is_none_or(|after| cursor > after))
            .collect();
        chats.sort_by(|(a, _), (b, _)| a.cmp(b));
        let has_more = chats.len() > limit;
        chats.truncate(limit);
        let next = chats.last().filter(|_| has_more);
        Ok(ListedChats {
            next: next.map(|(cursor, _)| cursor.clone()),
            chats: chats.into_iter().map(|(_, chat)| chat).collect(),
        })
    }

    async fn chat_summaries(&self, ids: &[ServiceId]) -> Result<Vec<ChatSummary>, StoreError> {
        let state = self.state();
        let summary = |id| Some(state.service(id)?.chat.as_ref()?.summary(id));
        Ok(ids.iter().filter_map(summary).collect())
    }

    async fn set_agent_availability(
        &self,
        agent: &str,
        definitions: Option<&[String]>,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        match definitions {
            Some(definitions) => {
                let entry = (now.after(ttl), definitions.to_vec());
                state.agents.insert(agent.to_owned(), entry);
            }
            None => drop(state.agents.remove(agent)),
        }
        Ok(())
    }

    async fn renew_agent_availability(
        &self,
        agent: &str,
        ttl: Duration,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let entry = state
            .agents
            .get_mut(agent)
            .filter(|(until, _)| *until > now);
        Ok(entry.map(|(until, definitions)| {
            *until = (*until).max(now.after(ttl));
            definitions.clone()
        }))
    }

    async fn available_agents(&self) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        state.agents.retain(|_, (until, _)| *until > now);
        let agents = state.agents.iter();
        let agents = agents.map(|(agent, (_, definitions))| (agent.clone(), definitions.clone()));
        Ok(agents.collect())
    }
}

#[async_trait]
impl ChatSignalSource for MemoryStore {
    async fn next_chat_signal(&self) -> ChatSignal {
        self.chat_signals.next().await
    }
}

impl State {
    /// Counts the available agents.
    pub(super) fn count_agents(&self, now: Timestamp) -> u64 {
        let available = self.agents.values().filter(|(until, _)| *until > now);
        available.count() as u64
    }

    /// Counts the open chats by definition.
    pub(super) fn count_chats(&self) -> BTreeMap<String, ChatCounts> {
        let mut counts: BTreeMap<String, ChatCounts> = BTreeMap::new();
        for (id, record) in &self.services {
            let Some(chat) = record.chat.as_ref().map(|chat| chat.summary(id)) else {
                continue;
            };
            let counts = counts.entry(chat.definition).or_default();
            match chat.state {
                ChatState::Waiting => counts.waiting += 1,
                ChatState::Active => counts.active += 1,
                ChatState::Ended => {}
            }
        }
        counts
    }
}

impl MemoryStore {
    /// Changes the chat of a service with an action, for which `required` bytes must be free. Returns `None` if there is no such
    /// service.
    fn with_chat<T>(
        &self,
        id: &ServiceId,
        required: usize,
        action: &ChatAction,
        change: impl FnOnce(&mut Option<ChatRecord>, Timestamp) -> T,
    ) -> Result<Option<T>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let Some(service) = state.service(id) else {
            return Ok(None);
        };
        let required = required + service.required_for_events(required);
        let usage =
            |chat: &Option<ChatRecord>| chat.as_ref().map_or((0, 0), |c| (c.bytes, c.changes));
        if required > 0 {
            state.check_room(required)?;
        }
        let Some(record) = state.services.get_mut(id) else {
            return Ok(None);
        };
        let (bytes_before, changes_before) = usage(&record.chat);
        let version_before = record.chat.as_ref().map(ChatRecord::version);
        let result = change(&mut record.chat, now);
        let (bytes, changes) = usage(&record.chat);
        state.add_used_bytes(bytes - bytes_before);
        if changes > changes_before {
            state.add_chat_events(id, version_before, action);
        }
        drop(state);
        if changes > changes_before {
            self.chat_signals.send(id.clone());
        }
        Ok(Some(result))
    }

    /// Writes the events that clients have left which were absent for too long.
    pub(super) fn expire_chat_clients(&self) {
        let ids: Vec<ServiceId> = {
            let state = self.state();
            let with_chat = state.services.iter();
            let with_chat = with_chat.filter(|(_, record)| record.chat.is_some());
            with_chat.map(|(id, _)| id.clone()).collect()
        };
        let action = ChatAction::ClientTimeout;
        for id in ids {
            let apply = |existing: &mut Option<ChatRecord>, now| {
                existing.as_mut().map(|record| record.apply(&action, now))
            };
            // It requires no free space, so it does not fail.
            drop(self.with_chat(&id, 0, &action, apply));
        }
    }
}

/// The text that an action stores.
fn stored_text(action: &ChatAction) -> Option<&str> {
    match action {
        ChatAction::ClientMessage(message) | ChatAction::AgentMessage(_, message) => Some(message),
        ChatAction::Join(join) => Some(&join.nickname),
        ChatAction::ClientRefresh(message) | ChatAction::ClientEnd(message) => message.as_deref(),
        _ => None,
    }
}

fn cursor(chat: &ChatSummary) -> Cursor {
    Cursor {
        end: chat.started,
        name: chat.id.to_string(),
    }
}
