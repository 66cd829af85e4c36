//! A stream of the events of one chat to one listener.

use std::time::Duration;

use tokio::{sync::OwnedSemaphorePermit, time};
use tracing::debug;

use super::ChatListener;
use crate::{
    model::{
        ServiceId,
        chat::{Chat, ChatAction, ChatReply, ChatWindow},
    },
    service::{ServiceError, Services},
};

/// The longest time without an item. The client of a chat is present while it has a stream.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// The pause after an error of the store.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The next item of a [`ChatStream`].
#[derive(Debug)]
pub enum ChatStreamItem {
    /// Events after the previous ones.
    Events(Box<Chat>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The chat or its service has ended, and there are no more events.
    Ended,
}

/// A stream of events. Each is read from the store after the position of the previous one.
pub struct ChatStream {
    services: Services,
    id: ServiceId,
    action: ChatAction,
    position: u64,
    listener: ChatListener,
    /// What the first read returned.
    first: Option<Box<Chat>>,
    heartbeat: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Services {
    /// Opens a stream of the events after `position`; `None` if the service has no chat. `action` is
    /// [`ChatAction::ClientPresent`] for the client and [`ChatAction::Read`] for others.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`]; [`ServiceError::TooManyWatchers`] if this replica has as many streams as
    /// `limits.watchers` allows.
    pub async fn open_chat_stream(
        &self,
        id: &ServiceId,
        action: ChatAction,
        position: u64,
    ) -> Result<Option<ChatStream>, ServiceError> {
        let permit = self.watcher_permit()?;
        // Before the first read, so that no change is missed.
        let listener = self.context.chat_listeners.listen(id);
        let window = ChatWindow::After(position);
        let chat = match self.context.store.update_chat(id, &action, window).await? {
            ChatReply::ServiceNotFound => return Err(ServiceError::NoSuchService(id.clone())),
            ChatReply::NotStarted(_) => return Ok(None),
            ChatReply::Chat(_, chat) => chat,
        };
        Ok(Some(ChatStream {
            services: self.clone(),
            id: id.clone(),
            action,
            position,
            listener,
            heartbeat: HEARTBEAT_INTERVAL.min(chat.client_timeout / 3),
            first: Some(chat),
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

    /// Waits for the next item. If the store fails, it is asked again.
    pub async fn next(&mut self) -> ChatStreamItem {
        let until = time::Instant::now() + self.heartbeat;
        loop {
            let chat = match self.first.take() {
                Some(chat) => Some(chat),
                None => self.read().await,
            };
            match chat {
                Some(chat) if !chat.events.is_empty() => {
                    self.position = chat.position();
                    return ChatStreamItem::Events(chat);
                }
                Some(chat) if chat.has_ended() => return ChatStreamItem::Ended,
                Some(_) => {}
                None => return ChatStreamItem::Ended,
            }
            tokio::select! {
                () = self.listener.changed() => {}
                () = time::sleep_until(until) => return ChatStreamItem::Heartbeat,
            }
        }
    }

    /// Reads the events after the position; `None` if the service has ended.
    async fn read(&mut self) -> Option<Box<Chat>> {
        loop {
            let store = &self.services.context.store;
            let window = ChatWindow::After(self.position);
            match store.update_chat(&self.id, &self.action, window).await {
                Ok(ChatReply::Chat(_, chat)) => return Some(chat),
                Ok(ChatReply::ServiceNotFound | ChatReply::NotStarted(_)) => return None,
                Err(error) => {
                    debug!(id = %self.id.redacted(), %error, "chat not read, retrying");
                    time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}
