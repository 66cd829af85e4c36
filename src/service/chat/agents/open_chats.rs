//! The open chats of all replicas. One task of the process follows them for all event streams of agents, while there are
//! any.
//!
//! The task lists the open chats, reads those that signals name, and lists all of them again regularly, for signals that
//! were lost. It publishes each change under the lock of the table, so a stream that subscribes under the same lock gets
//! the chats and all later changes.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time::{self, Instant},
};
use tracing::debug;

use super::stream_limits::{StreamLimits, StreamPermit};
use crate::{
    model::{
        ServiceId, StoreError,
        chat::{ChatSignal, ChatState, ChatSummary},
        readiness::Readiness,
    },
    service::{ChangeListeners, ServiceError},
    store::{AdminStore, ChatStore},
};

/// The interval of the list of all open chats, and the shortest time between two lists after lost signals.
const LIST_INTERVAL: Duration = Duration::from_secs(5);
const MIN_LIST_INTERVAL: Duration = Duration::from_millis(500);
/// The number of chats that are listed or read at once.
const BATCH: usize = 500;
/// The maximum number of chats; later ones are not followed.
const MAX_OPEN_CHATS: usize = 20_000;
/// The number of changes kept for a slow stream. It then continues with all open chats.
const MAX_QUEUED_CHANGES: usize = 1_024;
/// The maximum time until the first list is complete.
const FIRST_LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// A change of an open chat.
#[derive(Debug, Clone)]
pub(super) struct ChatChange {
    /// The chat before the change, if it was open and known.
    pub(super) before: Option<Arc<ChatSummary>>,
    /// The chat after it. A chat whose service has ended is one that has ended.
    pub(super) chat: Arc<ChatSummary>,
}

/// A message to the streams.
#[derive(Debug, Clone)]
pub(super) enum Update {
    Changed(ChatChange),
    /// The replica is shutting down.
    Draining,
}

/// The open chats. Clones share them.
#[derive(Clone)]
pub struct OpenChats(Arc<Shared>);

struct Shared {
    limits: Arc<StreamLimits>,
    stream_opened: Notify,
    is_complete: watch::Sender<bool>,
    chats: Mutex<HashMap<ServiceId, Arc<ChatSummary>>>,
    updates: broadcast::Sender<Update>,
}

/// The chats at the time of the subscription, and their later changes.
pub(super) struct OpenChatsSubscription {
    shared: Arc<Shared>,
    pub(super) updates: broadcast::Receiver<Update>,
    _permit: StreamPermit,
}

/// Open chats by the time of their start.
pub(super) type Snapshot = Vec<Arc<ChatSummary>>;

impl OpenChats {
    /// Creates an empty table for at most `max_streams` streams.
    #[must_use]
    pub fn new(max_streams: usize) -> Self {
        Self(Arc::new(Shared {
            limits: Arc::new(StreamLimits::new(max_streams)),
            stream_opened: Notify::new(),
            is_complete: watch::Sender::new(false),
            chats: Mutex::default(),
            updates: broadcast::Sender::new(MAX_QUEUED_CHANGES),
        }))
    }

    /// Subscribes a stream of an agent.
    ///
    /// # Errors
    /// [`ServiceError::TooManyAgentStreams`], [`ServiceError::TooManyStreamsOfAgent`]; [`ServiceError::Store`] if the
    /// chats cannot be listed in time.
    pub(super) async fn subscribe(
        &self,
        agent: &str,
    ) -> Result<(OpenChatsSubscription, Snapshot), ServiceError> {
        let shared = &self.0;
        let permit = shared.limits.acquire(agent)?;
        shared.stream_opened.notify_one();
        let subscribed = time::timeout(FIRST_LIST_TIMEOUT, shared.subscribe_when_listed()).await;
        let (updates, snapshot) = subscribed
            .ok()
            .flatten()
            .ok_or_else(|| StoreError::Unavailable("open chats not listed in time".to_owned()))?;
        let subscription = OpenChatsSubscription {
            shared: Arc::clone(shared),
            updates,
            _permit: permit,
        };
        Ok((subscription, snapshot))
    }

    /// Follows the chats until the future is dropped.
    pub async fn run(
        &self,
        store: Arc<dyn AdminStore>,
        listeners: ChangeListeners,
        readiness: Readiness,
    ) {
        loop {
            self.0.stream_opened.notified().await;
            self.follow(&*store, &listeners, &readiness).await;
        }
    }

    /// Follows the chats until there are no streams.
    async fn follow(
        &self,
        store: &dyn AdminStore,
        listeners: &ChangeListeners,
        readiness: &Readiness,
    ) {
        // Before the first list, so that no change is missed.
        let mut signals = listeners.listen_to_all();
        let mut next_list = Instant::now();
        while !self.0.stop_if_unused() {
            if next_list <= Instant::now() {
                next_list = Instant::now() + LIST_INTERVAL;
                if let Err(error) = self.list_all(store).await {
                    debug!(%error, "open chats not listed, retrying");
                    next_list = Instant::now() + MIN_LIST_INTERVAL;
                }
            }
            tokio::select! {
                signal = signals.recv() => {
                    let read = match collect(signal, &mut signals) {
                        Some(ids) => self.read(store, &ids).await.is_ok(),
                        None => false,
                    };
                    if !read {
                        next_list = next_list.min(Instant::now() + MIN_LIST_INTERVAL);
                    }
                    if readiness.is_draining() {
                        self.0.send(Update::Draining);
                    }
                }
                () = time::sleep_until(next_list) => {}
            }
        }
    }

    /// Reads these chats.
    async fn read<S: ChatStore + ?Sized>(
        &self,
        store: &S,
        ids: &[ServiceId],
    ) -> Result<(), StoreError> {
        let summaries = store.chat_summaries(ids).await?;
        let mut missing = ids.to_vec();
        missing.retain(|id| !summaries.iter().any(|chat| chat.id == *id));
        let mut chats = self.0.lock();
        for chat in summaries {
            self.0.apply(&mut chats, chat);
        }
        for id in missing {
            self.0.apply_end(&mut chats, &id);
        }
        Ok(())
    }

    /// Lists all open chats, and reads the known ones that are not in the list.
    async fn list_all<S: ChatStore + ?Sized>(&self, store: &S) -> Result<(), StoreError> {
        let mut unlisted: Vec<ServiceId> = self.0.lock().keys().cloned().collect();
        let mut listed = std::collections::HashSet::new();
        let mut after = None;
        loop {
            let page = store.list_chats(false, after.as_ref(), BATCH).await?;
            let mut chats = self.0.lock();
            for chat in page.chats {
                listed.insert(chat.id.clone());
                self.0.apply(&mut chats, chat);
            }
            drop(chats);
            after = page.next;
            if after.is_none() || listed.len() >= MAX_OPEN_CHATS {
                break;
            }
        }
        unlisted.retain(|id| !listed.contains(id));
        for batch in unlisted.chunks(BATCH) {
            self.read(store, batch).await?;
        }
        let shared = &self.0;
        shared
            .is_complete
            .send_if_modified(|complete| !mem::replace(complete, true));
        Ok(())
    }
}

impl OpenChatsSubscription {
    /// Continues with all open chats, after updates were lost.
    pub(super) fn resubscribe(&mut self) -> Snapshot {
        let (updates, snapshot) = self.shared.subscribe(&self.shared.lock());
        self.updates = updates;
        snapshot
    }
}

impl Shared {
    /// Subscribes after the first list is complete. `None` if there will be none.
    async fn subscribe_when_listed(&self) -> Option<(broadcast::Receiver<Update>, Snapshot)> {
        let mut is_complete = self.is_complete.subscribe();
        loop {
            is_complete.wait_for(|complete| *complete).await.ok()?;
            let chats = self.lock();
            // Not if the table was emptied in between, after the last other stream.
            if *self.is_complete.borrow() {
                return Some(self.subscribe(&chats));
            }
        }
    }

    fn subscribe(
        &self,
        chats: &HashMap<ServiceId, Arc<ChatSummary>>,
    ) -> (broadcast::Receiver<Update>, Snapshot) {
        let updates = self.updates.subscribe();
        let mut snapshot: Snapshot = chats.values().cloned().collect();
        snapshot.sort_by(|a, b| (a.started, a.id.as_str()).cmp(&(b.started, b.id.as_str())));
        (updates, snapshot)
    }

    /// Empties the table if there are no streams. A stream takes its permit first, so none is left behind.
    fn stop_if_unused(&self) -> bool {
        let mut chats = self.lock();
        let is_unused = self.limits.are_unused();
        if is_unused {
            self.is_complete.send_replace(false);
            *chats = HashMap::new();
        }
        is_unused
    }

    /// Stores and publishes a chat that was read.
    fn apply(&self, chats: &mut HashMap<ServiceId, Arc<ChatSummary>>, chat: ChatSummary) {
        let before = chats.get(&chat.id).cloned();
        if before.as_deref() == Some(&chat) {
            return;
        }
        let chat = Arc::new(chat);
        if chat.state == ChatState::Ended {
            if chats.remove(&chat.id).is_none() {
                return;
            }
        } else if before.is_some() || chats.len() < MAX_OPEN_CHATS {
            chats.insert(chat.id.clone(), Arc::clone(&chat));
        }
        self.send(Update::Changed(ChatChange { before, chat }));
    }

    /// Removes a chat whose service has ended.
    fn apply_end(&self, chats: &mut HashMap<ServiceId, Arc<ChatSummary>>, id: &ServiceId) {
        if let Some(before) = chats.get(id) {
            let ended = ChatSummary {
                state: ChatState::Ended,
                ..ChatSummary::clone(before)
            };
            self.apply(chats, ended);
        }
    }

    fn send(&self, update: Update) {
        // An error only means that there is no stream.
        drop(self.updates.send(update));
    }

    /// A panic cannot leave the table inconsistent, so a poisoned lock is used as it is.
    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceId, Arc<ChatSummary>>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chats that this signal and the queued ones name; `None` if signals were lost.
fn collect(
    first: Result<ChatSignal, broadcast::error::RecvError>,
    signals: &mut broadcast::Receiver<ChatSignal>,
) -> Option<Vec<ServiceId>> {
    let mut ids = Vec::new();
    let mut next = first.ok();
    loop {
        match next? {
            ChatSignal::Changed(id) if !ids.contains(&id) => ids.push(id),
            ChatSignal::Changed(_) => {}
            ChatSignal::Lost => return None,
        }
        if ids.len() == BATCH {
            return Some(ids);
        }
        next = match signals.try_recv() {
            Ok(signal) => Some(signal),
            Err(broadcast::error::TryRecvError::Empty) => return Some(ids),
            Err(_) => None,
        };
    }
}
