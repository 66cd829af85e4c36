//! The event stream of an agent: open chats and their changes, and the events of the chats that the agent is in.
//!
//! The id of each event has the positions in the transcripts of the agent's chats ([`super::cursor`]). Events are
//! read from the store after these positions, so a stream that continues after an id, on any replica, neither omits nor
//! repeats one. The list of open chats is sent at the beginning, and again after changes were lost.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{self, Instant},
};
use tracing::debug;

use super::{
    Agents,
    availability::RENEWAL_INTERVAL,
    cursor,
    open_chats::{ChatChange, OpenChatsSubscription, Snapshot, Update},
    own_chats::{Listing, OwnChats, ReadResult},
};
use crate::{
    model::{
        ServiceId,
        chat::{Chat, ChatAction, ChatReply, ChatState, ChatSummary, ChatWindow},
    },
    service::ServiceError,
    telemetry::metrics::StreamGuard,
};

/// The longest time without an event.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// The time after which a chat is read again after an error.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The maximum number of chats in [`AgentEvent::Chats`].
const MAX_LISTED_CHATS: usize = 1_000;

/// An event of the stream of an agent.
#[derive(Debug)]
pub enum AgentEvent {
    /// The open chats by the time of their start, and whether these are all.
    Chats(Vec<Arc<ChatSummary>>, bool),
    /// A chat began to wait for an agent.
    Waiting(Arc<ChatSummary>),
    /// The agents in a chat have changed, and there is at least one.
    Active(Arc<ChatSummary>),
    /// New events of a chat that the agent is in.
    Event(ServiceId, Box<Chat>),
    /// A chat has ended.
    Ended(Arc<ChatSummary>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The replica is shutting down; the stream ends.
    Draining,
}

/// The event stream of an agent.
pub struct AgentStream {
    agents: Agents,
    agent: String,
    open_chats: OpenChatsSubscription,
    own: OwnChats,
    /// The definitions whose chats the agent takes; none stands for all.
    definitions: Vec<String>,
    queue: VecDeque<AgentEvent>,
    next_renewal: Instant,
    _guard: StreamGuard,
}

impl Agents {
    /// Opens the event stream of an agent, after the event with this id if there is one.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a malformed id; [`ServiceError::TooManyAgentStreams`],
    /// [`ServiceError::TooManyStreamsOfAgent`]; errors of the store.
    pub async fn open_stream(
        &self,
        agent: &str,
        after: Option<&str>,
    ) -> Result<AgentStream, ServiceError> {
        let positions = cursor::decode(after.unwrap_or("AQ")).ok_or_else(|| {
            let message =
                "the id of the last event is malformed; expected the id of an event of this stream";
            ServiceError::InvalidParameter(message.to_owned())
        })?;
        let (open_chats, snapshot) = self.context.open_chats.subscribe(agent).await?;
        let definitions = self.renew_availability(agent).await?;
        let listeners = self.services.context.change_listeners.clone();
        let mut stream = AgentStream {
            agents: self.clone(),
            agent: agent.to_owned(),
            open_chats,
            own: OwnChats::new(agent, listeners, positions),
            definitions: definitions.unwrap_or_default(),
            queue: VecDeque::new(),
            next_renewal: Instant::now() + RENEWAL_INTERVAL,
            _guard: self.context.metrics.agent_stream_opened(),
        };
        stream.list(snapshot);
        Ok(stream)
    }
}

impl AgentStream {
    /// The id of the event that was returned last.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.own.cursor()
    }

    /// Waits for the next event. Errors of the store are retried.
    pub async fn next(&mut self) -> AgentEvent {
        let heartbeat = Instant::now() + HEARTBEAT_INTERVAL;
        loop {
            if let Some(event) = self.queue.pop_front() {
                return event;
            }
            if self.next_renewal <= Instant::now() {
                self.renew().await;
                continue;
            }
            if heartbeat <= Instant::now() {
                return AgentEvent::Heartbeat;
            }
            if let Some((id, position)) = self.own.next_changed() {
                if let Some(event) = self.read(id, position).await {
                    return event;
                }
                self.apply_queued();
                continue;
            }
            if let Some(chat) = self.own.take_ended() {
                self.queue.push_back(AgentEvent::Ended(chat));
                self.fill_up();
                continue;
            }
            let retry = self.own.next_retry().unwrap_or(heartbeat);
            let wake_up = heartbeat.min(self.next_renewal).min(retry);
            tokio::select! {
                update = self.open_chats.updates.recv() => self.apply(update),
                () = self.own.changed() => {}
                () = time::sleep_until(wake_up) => {}
            }
        }
    }

    /// Reads a chat that the agent is in.
    async fn read(&mut self, id: ServiceId, position: u64) -> Option<AgentEvent> {
        let window = ChatWindow::After(position);
        let store = self.agents.chats();
        match store.update_chat(&id, &ChatAction::Read, window).await {
            Ok(ChatReply::Chat(_, chat)) => {
                let result = self.own.apply(&id, Some(&chat));
                self.fill_up();
                (result == ReadResult::Event).then_some(AgentEvent::Event(id, chat))
            }
            Ok(ChatReply::ServiceNotFound | ChatReply::NotStarted(_)) => {
                self.own.apply(&id, None);
                None
            }
            Err(error) => {
                debug!(id = %id.redacted(), %error, "chat not read, retrying");
                self.own.retry_at(&id, Instant::now() + RETRY_DELAY);
                None
            }
        }
    }

    /// Applies the updates of open chats that wait, so that a busy chat does not delay them.
    fn apply_queued(&mut self) {
        loop {
            let update = match self.open_chats.updates.try_recv() {
                Ok(update) => Ok(update),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            };
            self.apply(update);
        }
    }

    fn apply(&mut self, update: Result<Update, RecvError>) {
        match update {
            Ok(Update::Changed(change)) => self.apply_change(change),
            Ok(Update::Draining) => self.queue.push_back(AgentEvent::Draining),
            Err(RecvError::Lagged(_) | RecvError::Closed) => {
                let snapshot = self.open_chats.resubscribe();
                self.list(snapshot);
            }
        }
    }

    fn apply_change(&mut self, change: ChatChange) {
        let ChatChange { before, chat } = change;
        let is_own = self.own.add_if_member(&chat);
        if chat.state == ChatState::Ended {
            match self.own.get_mut(&chat.id) {
                Some(own) => {
                    own.is_changed = true;
                    own.listing = Listing::Ended(chat);
                }
                None if takes(&self.definitions, &chat) => {
                    self.queue.push_back(AgentEvent::Ended(chat));
                }
                None => {}
            }
            return;
        }
        let has_changed = before
            .as_ref()
            .is_none_or(|before| before.agents != chat.agents);
        if has_changed && (is_own || takes(&self.definitions, &chat)) {
            self.queue.push_back(match chat.state {
                ChatState::Waiting => AgentEvent::Waiting(chat),
                _ => AgentEvent::Active(chat),
            });
        }
    }

    /// Begins again with these open chats.
    fn list(&mut self, open: Snapshot) {
        let definitions = &self.definitions;
        let mut chats = self.own.list(open, |chat| takes(definitions, chat));
        let is_complete = chats.len() <= MAX_LISTED_CHATS;
        chats.truncate(MAX_LISTED_CHATS);
        self.queue.push_back(AgentEvent::Chats(chats, is_complete));
    }

    /// Adds chats for which there was no room.
    fn fill_up(&mut self) {
        if self.own.can_grow() {
            let snapshot = self.open_chats.resubscribe();
            self.list(snapshot);
        }
    }

    async fn renew(&mut self) {
        self.next_renewal = Instant::now() + RENEWAL_INTERVAL;
        match self.agents.renew_availability(&self.agent).await {
            Ok(definitions) => {
                let definitions = definitions.unwrap_or_default();
                if definitions != self.definitions {
                    self.definitions = definitions;
                    let snapshot = self.open_chats.resubscribe();
                    self.list(snapshot);
                }
            }
            Err(error) => debug!(%error, "availability of an agent not renewed, retrying"),
        }
    }
}

/// Whether an agent with these definitions takes this chat.
fn takes(definitions: &[String], chat: &ChatSummary) -> bool {
    definitions.is_empty() || definitions.contains(&chat.definition)
}
