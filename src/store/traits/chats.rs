//! Chats: one per service, with its transcript.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Cursor, ServiceId, StoreError,
    chat::{
        ChatAction, ChatReply, ChatSignal, ChatSummary, ChatVersion, ChatWindow, ListedChats,
        NewChat,
    },
};

/// The store of chats.
#[async_trait]
pub trait ChatStore: Send + Sync {
    /// Starts the chat of a service, with the event that the client has joined. If it was started before, it is
    /// unchanged. Returns the chat with its first events.
    async fn start_chat(&self, id: &ServiceId, chat: &NewChat) -> Result<ChatReply, StoreError>;

    /// Performs an action and returns the chat after it, with the events of `window`. Positions are assigned and
    /// events stored atomically. All listeners are notified after a change.
    async fn update_chat(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        window: ChatWindow,
    ) -> Result<ChatReply, StoreError>;

    /// Returns the versions of the chats of these services; `None` for those without a chat. For a
    /// [`CometUser::signal_id`](crate::model::comet::CometUser::signal_id), `last` is the number of signals about the
    /// user; for a [`storage_signal_id`](crate::model::storage_signal_id) it is the revision of the storage.
    async fn chat_versions(
        &self,
        ids: &[ServiceId],
    ) -> Result<Vec<Option<ChatVersion>>, StoreError>;

    /// Lists chats by the time of their start, the oldest first: those that have ended, or the others. A chat that
    /// changes its state concurrently may be in both lists or once in neither.
    async fn list_chats(
        &self,
        ended: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ListedChats, StoreError>;

    /// Returns the summaries of these chats; those that do not exist are omitted.
    async fn chat_summaries(&self, ids: &[ServiceId]) -> Result<Vec<ChatSummary>, StoreError>;

    /// Records for `ttl` that `agent` takes chats of these definitions; of all definitions if there are none. `None`
    /// records that it takes no chats.
    async fn set_agent_availability(
        &self,
        agent: &str,
        definitions: Option<&[String]>,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Extends the availability of `agent`, so that it lasts at least for `ttl`, and returns its definitions. `None` if
    /// it takes no chats; nothing is changed.
    async fn renew_agent_availability(
        &self,
        agent: &str,
        ttl: Duration,
    ) -> Result<Option<Vec<String>>, StoreError>;

    /// Returns the available agents and the definitions whose chats they take; none stands for all.
    async fn available_agents(&self) -> Result<Vec<(String, Vec<String>)>, StoreError>;
}

/// The signals of a store about changed chats.
#[async_trait]
pub trait ChatSignalSource: Send + Sync {
    /// Waits for the next signal. Only one task of a process may call it. If signals arrive faster than they are
    /// received, [`ChatSignal::Lost`] replaces them.
    async fn next_chat_signal(&self) -> ChatSignal;
}
