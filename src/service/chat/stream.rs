//! A stream of the events of one chat to one listener.

use std::{mem, time::Duration};

use tokio::{sync::OwnedSemaphorePermit, time};
use tracing::debug;

use crate::{
    model::{
        ServiceId, StoreError,
        chat::{Chat, ChatAction, ChatReply, ChatWindow},
    },
    service::{
        ChangeListener, ServiceError, Services,
        listeners::{HEARTBEAT_INTERVAL, retry_delay},
    },
};

/// The maximum number of streams of the client of one chat on a replica.
const MAX_CLIENT_STREAMS: usize = 20;

/// The next item of a [`ChatStream`].
#[derive(Debug)]
pub enum ChatStreamItem {
    /// Events after the previous ones.
    Events(Box<Chat>),
    /// Nothing happened for a while, or the store failed.
    Heartbeat,
    /// The chat may have changed; the next item shows it.
    Changed,
    /// The chat or its service has ended, and there are no more events.
    Ended,
}

/// A stream of events. Each is read from the store after the position of the previous one.
pub struct ChatStream {
    services: Services,
    action: ChatAction,
    position: u64,
    listener: ChangeListener,
    /// What the first read returned.
    first: Option<Box<Chat>>,
    /// Whether the next item requires a read.
    must_read: bool,
    heartbeat: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Services {
    /// Opens a stream of the events after `position`; `None` if the service has no chat. `action` is
    /// [`ChatAction::ClientPresent`] for the client and [`ChatAction::Read`] for others.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`]; [`ServiceError::TooManyWatchers`] if this replica has as many streams as
    /// `limits.watchers` allows, [`ServiceError::TooManyStreams`] if the chat has too many of them.
    pub async fn open_chat_stream(
        &self,
        id: &ServiceId,
        action: ChatAction,
        position: u64,
    ) -> Result<Option<ChatStream>, ServiceError> {
        let permit = self.watcher_permit()?;
        // Before the first read, so that no change is missed.
        let mut listener = self.context.change_listeners.listen(id);
        if action == ChatAction::ClientPresent
            && !listener.count_as_client_stream(MAX_CLIENT_STREAMS)
        {
            return Err(ServiceError::TooManyStreams(MAX_CLIENT_STREAMS));
        }
        let window = ChatWindow::After(position);
        let chat = match self.context.store.update_chat(id, &action, window).await? {
            ChatReply::ServiceNotFound => return Err(ServiceError::NoSuchService(id.clone())),
            ChatReply::NotStarted(_) => return Ok(None),
            ChatReply::Chat(_, chat) => chat,
        };
        Ok(Some(ChatStream {
            services: self.clone(),
            action,
            position,
            listener,
            heartbeat: HEARTBEAT_INTERVAL.min(chat.client_timeout / 3),
            first: Some(chat),
            must_read: false,
            _permit: permit,
        }))
    }

    /// Counts a listener of this replica until the permit is dropped.
    ///
    /// # Errors
    /// [`ServiceError::TooManyWatchers`]
    pub(in crate::service) fn watcher_permit(&self) -> Result<OwnedSemaphorePermit, ServiceError> {
        let permit = self.context.watchers.clone().try_acquire_owned();
        permit.map_err(|_full| ServiceError::TooManyWatchers(self.context.limits.watchers))
    }
}

impl ChatStream {
    /// Whether the chat had ended before the stream was opened and there are no events for it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let first = self.first.as_ref();
        first.is_some_and(|chat| chat.has_ended() && chat.events.is_empty())
    }

    /// The position of the last event that was returned.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for the next item. While the store fails there are only heartbeats.
    pub async fn next(&mut self) -> ChatStreamItem {
        let until = time::Instant::now() + self.heartbeat;
        if let Some(item) = self.read_item().await {
            return item;
        }
        // The next call reads, so that the caller can end the stream first.
        self.must_read = true;
        tokio::select! {
            () = self.listener.changed() => ChatStreamItem::Changed,
            () = time::sleep_until(until) => ChatStreamItem::Heartbeat,
        }
    }

    /// The next item without a wait for changes, so that nothing that was read takes memory during that wait.
    async fn read_item(&mut self) -> Option<ChatStreamItem> {
        let read = match self.first.take() {
            Some(chat) => Some(Ok(Some(chat))),
            None if mem::take(&mut self.must_read) => Some(self.read().await),
            None => None,
        };
        match read {
            Some(Ok(Some(chat))) if !chat.events.is_empty() => {
                self.position = chat.position();
                self.must_read = !chat.is_complete() || chat.has_ended();
                Some(ChatStreamItem::Events(chat))
            }
            Some(Ok(Some(chat))) if chat.has_ended() => Some(ChatStreamItem::Ended),
            Some(Ok(None)) => Some(ChatStreamItem::Ended),
            Some(Err(error)) => {
                debug!(id = %self.listener.id().redacted(), %error, "chat not read, retrying");
                time::sleep(retry_delay()).await;
                self.must_read = true;
                Some(ChatStreamItem::Heartbeat)
            }
            Some(Ok(Some(_))) | None => None,
        }
    }

    /// Reads the events after the position; `None` if the service has ended.
    async fn read(&self) -> Result<Option<Box<Chat>>, StoreError> {
        let store = &self.services.context.store;
        let window = ChatWindow::After(self.position);
        match store
            .update_chat(self.listener.id(), &self.action, window)
            .await?
        {
            ChatReply::Chat(_, chat) => Ok(Some(chat)),
            ChatReply::ServiceNotFound | ChatReply::NotStarted(_) => Ok(None),
        }
    }
}
