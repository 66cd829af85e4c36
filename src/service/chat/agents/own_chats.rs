//! The chats that the agent of an event stream is in, with the positions up to which the stream has returned them.

use std::sync::Arc;

use futures_util::future;
use tokio::time::Instant;

use super::cursor::{self, MAX_OWN_CHATS};
use crate::{
    model::{
        ServiceId,
        chat::{Chat, ChatState, ChatSummary},
    },
    service::{ChangeListener, ChangeListeners},
};

/// A chat that the agent is in.
pub(super) struct OwnChat {
    pub(super) id: ServiceId,
    /// The position of the last event that was returned.
    pub(super) position: u64,
    /// Whether the stream has returned events of it, or continues after some.
    is_begun: bool,
    client_typing: bool,
    listener: ChangeListener,
    /// Whether it must be read.
    pub(super) is_changed: bool,
    /// The time before which it is not read, after an error.
    retry_at: Option<Instant>,
    pub(super) listing: Listing,
}

/// The state of a chat in the table of open chats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Listing {
    /// It is open, as far as is known.
    Open,
    /// It was not in the list of open chats.
    Unlisted,
    /// It has ended. The stream returns this after the last event.
    Ended(Arc<ChatSummary>),
}

/// What the stream returns after a chat was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadResult {
    /// The chat with its new events.
    Event,
    /// Nothing.
    Unchanged,
}

/// The chats of an agent, at most [`MAX_OWN_CHATS`].
pub(super) struct OwnChats {
    agent: String,
    listeners: ChangeListeners,
    chats: Vec<OwnChat>,
    /// Whether there were more chats than the maximum.
    is_truncated: bool,
}

impl OwnChats {
    /// The chats of `agent`, which continue after these positions.
    pub(super) fn new(
        agent: &str,
        listeners: ChangeListeners,
        positions: Vec<(ServiceId, u64)>,
    ) -> Self {
        let mut own = Self {
            agent: agent.to_owned(),
            listeners,
            chats: Vec::new(),
            is_truncated: false,
        };
        for (id, position) in positions {
            own.insert(&id, position, true);
        }
        own
    }

    /// Adds a chat if the agent is in it. Returns whether it is one of the chats.
    pub(super) fn add_if_member(&mut self, chat: &ChatSummary) -> bool {
        let is_known = self.get_mut(&chat.id).is_some();
        let is_member = chat.agents.contains(&self.agent);
        if !is_known && is_member {
            if self.chats.len() == MAX_OWN_CHATS {
                self.is_truncated = true;
                return false;
            }
            self.insert(&chat.id, 0, false);
        }
        is_known || is_member
    }

    fn insert(&mut self, id: &ServiceId, position: u64, is_begun: bool) {
        self.chats.push(OwnChat {
            id: id.clone(),
            position,
            is_begun,
            client_typing: false,
            listener: self.listeners.listen(id),
            is_changed: true,
            retry_at: None,
            listing: Listing::Open,
        });
    }

    pub(super) fn get_mut(&mut self, id: &ServiceId) -> Option<&mut OwnChat> {
        self.chats.iter_mut().find(|chat| chat.id == *id)
    }

    /// Begins again with these open chats. Returns those that the agent is in, or that it `takes`.
    pub(super) fn list(
        &mut self,
        open: Vec<Arc<ChatSummary>>,
        takes: impl Fn(&ChatSummary) -> bool,
    ) -> Vec<Arc<ChatSummary>> {
        self.is_truncated = false;
        for own in &mut self.chats {
            own.is_changed = true;
            let is_listed = open.iter().any(|chat| chat.id == own.id);
            if own.listing == Listing::Open && !is_listed {
                own.listing = Listing::Unlisted;
            }
        }
        let mut chats = open;
        chats.retain(|chat| self.add_if_member(chat) || takes(chat));
        chats
    }

    /// A chat that must be read now, and the position after which.
    pub(super) fn next_changed(&self) -> Option<(ServiceId, u64)> {
        let now = Instant::now();
        let mut changed = self.chats.iter().filter(|chat| chat.is_changed);
        let chat = changed.find(|chat| chat.retry_at.is_none_or(|at| at <= now))?;
        Some((chat.id.clone(), chat.position))
    }

    /// Reads a chat again at this time; the others are not delayed.
    pub(super) fn retry_at(&mut self, id: &ServiceId, at: Instant) {
        if let Some(chat) = self.get_mut(id) {
            chat.retry_at = Some(at);
        }
    }

    /// The time at which the next chat is read again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        let changed = self.chats.iter().filter(|chat| chat.is_changed);
        changed.filter_map(|chat| chat.retry_at).min()
    }

    /// Applies a chat that was read, or `None` if its service has ended.
    pub(super) fn apply(&mut self, id: &ServiceId, read: Option<&Chat>) -> ReadResult {
        let Some(index) = self.chats.iter().position(|chat| chat.id == *id) else {
            return ReadResult::Unchanged;
        };
        let own = &mut self.chats[index];
        own.is_changed = false;
        own.retry_at = None;
        let Some(read) = read else {
            if own.listing == Listing::Unlisted {
                self.chats.swap_remove(index);
            }
            return ReadResult::Unchanged;
        };
        let is_member = read.members.iter().any(|member| member.agent == self.agent);
        let has_left = !is_member && read.state != ChatState::Ended;
        if has_left && !own.is_begun {
            self.chats.swap_remove(index);
            return ReadResult::Unchanged;
        }
        let has_news = !read.events.is_empty() || own.client_typing != read.client_typing;
        own.is_begun = true;
        own.position = read.position();
        own.client_typing = read.client_typing;
        own.is_changed = !read.is_complete();
        if read.has_ended() && own.listing == Listing::Unlisted {
            own.listing = Listing::Ended(Arc::new(read.summary(id)));
        }
        if has_left && read.is_complete() {
            self.chats.swap_remove(index);
        }
        if has_news {
            ReadResult::Event
        } else {
            ReadResult::Unchanged
        }
    }

    /// Removes a chat that has ended and whose events were all returned.
    pub(super) fn take_ended(&mut self) -> Option<Arc<ChatSummary>> {
        let is_over =
            |chat: &OwnChat| matches!(chat.listing, Listing::Ended(_)) && !chat.is_changed;
        let index = self.chats.iter().position(is_over)?;
        match self.chats.swap_remove(index).listing {
            Listing::Ended(chat) => Some(chat),
            Listing::Open | Listing::Unlisted => None,
        }
    }

    /// Whether there is room for chats that were omitted.
    pub(super) fn can_grow(&self) -> bool {
        self.is_truncated && self.chats.len() < MAX_OWN_CHATS
    }

    /// Waits until a chat changes.
    pub(super) async fn changed(&mut self) {
        let waiting = self.chats.iter_mut().map(|chat| {
            Box::pin(async {
                chat.listener.changed().await;
                chat.is_changed = true;
            })
        });
        let waiting: Vec<_> = waiting.collect();
        if waiting.is_empty() {
            return future::pending().await;
        }
        future::select_all(waiting).await;
    }

    /// The id of an event that is returned now.
    pub(super) fn cursor(&self) -> String {
        let begun = self.chats.iter().filter(|chat| chat.is_begun);
        cursor::encode(begun.map(|chat| (&chat.id, chat.position)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_chat_that_cannot_be_read_does_not_delay_the_others() {
        let ids = ["a", "b"].map(|id| ServiceId::from(id.to_owned()));
        let positions = ids.iter().map(|id| (id.clone(), 7)).collect();
        let mut own = OwnChats::new("ann", ChangeListeners::default(), positions);
        let [failing, other] = ids;
        assert_eq!(own.next_changed(), Some((failing.clone(), 7)));
        assert_eq!(own.next_retry(), None);
        let retry_at = Instant::now() + Duration::from_secs(60);
        own.retry_at(&failing, retry_at);
        assert_eq!(own.next_changed(), Some((other.clone(), 7)));
        own.apply(&other, None);
        assert_eq!(own.next_changed(), None);
        assert_eq!(own.next_retry(), Some(retry_at));
        own.retry_at(&failing, Instant::now());
        assert_eq!(own.next_changed(), Some((failing.clone(), 7)));
        own.apply(&failing, None);
        assert_eq!((own.next_changed(), own.next_retry()), (None, None));
    }
}
