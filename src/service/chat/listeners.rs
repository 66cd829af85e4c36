//! The listeners of chats on this replica.
//!
//! A listener waits for a change and then reads the chat after the position that it has, so a lost or doubled signal
//! never costs or doubles an event. Signals arrive from the store; once a second the versions of all chats with
//! listeners are read in batches, for signals that were lost.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time,
};
use tracing::debug;

use crate::{
    model::{
        ServiceId, StoreError,
        chat::{ChatSignal, ChatVersion},
        readiness::Readiness,
    },
    store::{AdminStore, ChatStore},
};

/// The interval of the poll for lost signals.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The number of versions read at once.
const BATCH: usize = 500;
/// The number of signals kept for a slow listener to all chats; it then receives [`ChatSignal::Lost`].
const MAX_QUEUED_SIGNALS: usize = 1_024;

/// The listeners of all chats on this replica. Clones share them.
#[derive(Clone)]
pub struct ChatListeners(Arc<Shared>);

struct Shared {
    chats: Mutex<HashMap<ServiceId, ListenedChat>>,
    all: broadcast::Sender<ChatSignal>,
    /// Requests a poll before the next interval.
    poll_now: Notify,
}

/// A chat with listeners.
struct ListenedChat {
    changed: watch::Sender<()>,
    /// The number of streams of its client.
    client_streams: usize,
    /// Whether it was polled.
    is_polled: bool,
    /// Its version at the last poll; `None` if there is no chat.
    version: Option<ChatVersion>,
}

impl Default for ChatListeners {
    fn default() -> Self {
        Self(Arc::new(Shared {
            chats: Mutex::default(),
            all: broadcast::Sender::new(MAX_QUEUED_SIGNALS),
            poll_now: Notify::new(),
        }))
    }
}

impl ChatListeners {
    /// Registers a listener to the chat of `id`. It sees all changes after this call.
    #[must_use]
    pub fn listen(&self, id: &ServiceId) -> ChatListener {
        let mut chats = self.0.lock();
        let chat = chats.entry(id.clone()).or_insert_with(|| ListenedChat {
            changed: watch::Sender::new(()),
            client_streams: 0,
            is_polled: false,
            version: None,
        });
        ChatListener {
            receiver: chat.changed.subscribe(),
            is_client_stream: false,
            id: id.clone(),
            shared: Arc::clone(&self.0),
        }
    }

    /// Registers a listener to all chats. If it is too slow, the receiver returns an error, which means that any chat
    /// may have changed.
    #[must_use]
    pub fn listen_to_all(&self) -> broadcast::Receiver<ChatSignal> {
        self.0.all.subscribe()
    }

    /// The number of chats with listeners.
    #[must_use]
    pub fn chats(&self) -> usize {
        self.0.lock().len()
    }

    /// Wakes listeners until the future is dropped; all of them when the replica starts to drain, so that they end.
    pub async fn run(&self, store: Arc<dyn AdminStore>, readiness: Readiness) {
        let poll = self.poll_versions(&*store, &readiness);
        tokio::join!(self.forward_signals(&*store), poll);
    }

    fn wake_all(&self) {
        for chat in self.0.lock().values() {
            chat.changed.send_replace(());
        }
    }

    async fn forward_signals(&self, store: &dyn AdminStore) {
        loop {
            let signal = store.next_chat_signal().await;
            match &signal {
                ChatSignal::Changed(id) => {
                    if let Some(chat) = self.0.lock().get(id) {
                        chat.changed.send_replace(());
                    }
                }
                // The poll wakes those whose chats have changed, instead of all at once.
                ChatSignal::Lost => self.0.poll_now.notify_one(),
            }
            // An error only means that there is no such listener.
            drop(self.0.all.send(signal));
        }
    }

    async fn poll_versions(&self, store: &dyn AdminStore, readiness: &Readiness) {
        let mut ticks = time::interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut draining = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.0.poll_now.notified() => {}
            }
            if readiness.is_draining() && !draining {
                draining = true;
                self.wake_all();
                drop(self.0.all.send(ChatSignal::Lost));
            }
            let ids: Vec<ServiceId> = self.0.lock().keys().cloned().collect();
            for batch in ids.chunks(BATCH) {
                if let Err(error) = self.poll_batch(store, batch).await {
                    debug!(%error, "versions of chats not polled");
                }
            }
        }
    }

    async fn poll_batch<S: ChatStore + ?Sized>(
        &self,
        store: &S,
        batch: &[ServiceId],
    ) -> Result<(), StoreError> {
        let versions = store.chat_versions(batch).await?;
        let mut chats = self.0.lock();
        for (id, version) in batch.iter().zip(versions) {
            let Some(chat) = chats.get_mut(id) else {
                continue;
            };
            let was_polled = mem::replace(&mut chat.is_polled, true);
            if mem::replace(&mut chat.version, version) != version || !was_polled {
                chat.changed.send_replace(());
            }
        }
        Ok(())
    }
}

impl Shared {
    /// A panic cannot leave the map inconsistent, so a poisoned lock is used as it is.
    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceId, ListenedChat>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener to one chat, until it is dropped.
pub struct ChatListener {
    receiver: watch::Receiver<()>,
    is_client_stream: bool,
    id: ServiceId,
    shared: Arc<Shared>,
}

impl ChatListener {
    /// Counts this listener as a stream of the client. Returns whether there are at most `max`.
    pub(super) fn count_as_client_stream(&mut self, max: usize) -> bool {
        let mut chats = self.shared.lock();
        let Some(chat) = chats.get_mut(&self.id) else {
            return false;
        };
        if !mem::replace(&mut self.is_client_stream, true) {
            chat.client_streams += 1;
        }
        chat.client_streams <= max
    }

    /// Waits until the chat may have changed since the last call.
    pub async fn changed(&mut self) {
        // The sender exists as long as this listener.
        drop(self.receiver.changed().await);
    }
}

impl Drop for ChatListener {
    fn drop(&mut self) {
        let mut chats = self.shared.lock();
        if let Some(chat) = chats.get_mut(&self.id) {
            chat.client_streams -= usize::from(self.is_client_stream);
            if chat.changed.receiver_count() <= 1 {
                chats.remove(&self.id);
            }
        }
    }
}
