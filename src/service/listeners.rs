//! The listeners of chats, storages and users of Bayeux sessions on this replica.
//!
//! A listener waits for a change and then reads what has changed, such as the chat after the position that it has, so a
//! lost or doubled signal never costs or doubles an event. Signals arrive from the store; once a second the versions of
//! everything that has listeners are read in batches, for signals that were lost. Signals about storages are requested
//! from the store, and the request is renewed while there are listeners.

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

use super::watched_storages::WatchedStorages;
use crate::{
    model::{
        Revision, ServiceId, StoreError,
        chat::{ChatSignal, ChatVersion},
        readiness::Readiness,
        service_of_storage_signal, storage_signal_id,
    },
    store::{AdminStore, ChatStore, StorageStore},
};

/// The interval of the poll for lost signals.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The time for which the store sends signals about a storage, and the interval at which that is renewed.
pub(super) const WATCH_TTL: Duration = Duration::from_secs(60);
const RENEWAL_INTERVAL: Duration = Duration::from_secs(20);
/// The longest time without an item of a stream. The client of a chat is present while it has one.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// The range of the pause after an error of the store.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(500);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(3);
/// The number of versions read at once.
const BATCH: usize = 500;
/// The number of signals kept for a slow listener to all chats; it then receives [`ChatSignal::Lost`].
const MAX_QUEUED_SIGNALS: usize = 1_024;

/// All listeners on this replica. Clones share them.
#[derive(Clone)]
pub struct ChangeListeners(Arc<Shared>);

struct Shared {
    /// By the id in signals: that of the service of a chat, or one that stands for something else.
    listened: Mutex<HashMap<ServiceId, Listened>>,
    all: broadcast::Sender<ChatSignal>,
    storages: WatchedStorages,
    /// Requests a poll before the next interval.
    poll_now: Notify,
}

/// Something with listeners.
struct Listened {
    /// The number of changes so far.
    changes: watch::Sender<u64>,
    /// The number of streams of the client of a chat, or of the watchers of a storage.
    client_streams: usize,
    /// Whether it was polled.
    is_polled: bool,
    /// Its version at the last poll; `None` if it does not exist.
    version: Option<ChatVersion>,
}

impl Default for ChangeListeners {
    fn default() -> Self {
        Self(Arc::new(Shared {
            listened: Mutex::default(),
            all: broadcast::Sender::new(MAX_QUEUED_SIGNALS),
            storages: WatchedStorages::default(),
            poll_now: Notify::new(),
        }))
    }
}

impl ChangeListeners {
    /// Registers a listener to the chat of `id`. It sees all changes after this call.
    #[must_use]
    pub fn listen(&self, id: &ServiceId) -> ChangeListener {
        let mut listened = self.0.lock();
        let entry = listened.entry(id.clone()).or_insert_with(|| Listened {
            changes: watch::Sender::new(0),
            client_streams: 0,
            is_polled: false,
            version: None,
        });
        ChangeListener {
            receiver: entry.changes.subscribe(),
            is_client_stream: false,
            id: id.clone(),
            shared: Arc::clone(&self.0),
        }
    }

    /// Registers a listener to the storage of `id`. It sees all changes after this call.
    #[must_use]
    pub(super) fn listen_to_storage(&self, id: &ServiceId) -> ChangeListener {
        self.listen(&storage_signal_id(id))
    }

    /// What the watchers of storages share.
    pub(super) fn storages(&self) -> &WatchedStorages {
        &self.0.storages
    }

    /// Wakes the listeners to the storage of a service that this replica has ended.
    pub(super) fn storage_ended(&self, id: &ServiceId) {
        self.0.wake(&storage_signal_id(id));
    }

    /// Registers a listener to all chats. If it is too slow, the receiver returns an error, which means that any chat
    /// may have changed.
    #[must_use]
    pub fn listen_to_all(&self) -> broadcast::Receiver<ChatSignal> {
        self.0.all.subscribe()
    }

    /// Wakes listeners until the future is dropped; all of them when the replica starts to drain, so that they end.
    pub async fn run(&self, store: Arc<dyn AdminStore>, readiness: Readiness) {
        let poll = self.poll_versions(&*store, &readiness);
        tokio::join!(self.forward_signals(&*store), poll);
    }

    fn wake_all(&self) {
        for entry in self.0.lock().values() {
            entry.changed();
        }
    }

    async fn forward_signals(&self, store: &dyn AdminStore) {
        loop {
            let signal = store.next_chat_signal().await;
            match &signal {
                ChatSignal::Changed(id) => {
                    self.0.wake(id);
                    if service_of_storage_signal(id).is_some() {
                        continue;
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
        let (mut draining, mut next_renewal) = (false, Instant::now() + RENEWAL_INTERVAL);
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
            if next_renewal <= Instant::now() {
                next_renewal = Instant::now() + RENEWAL_INTERVAL;
                renew_watches(store, &ids).await;
            }
            self.0.storages.release_events();
            for batch in ids.chunks(BATCH) {
                if let Err(error) = self.poll_batch(store, batch).await {
                    debug!(%error, "versions not polled");
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
        let mut listened = self.0.lock();
        for (id, version) in batch.iter().zip(versions) {
            let Some(entry) = listened.get_mut(id) else {
                continue;
            };
            let was_polled = mem::replace(&mut entry.is_polled, true);
            if mem::replace(&mut entry.version, version) != version || !was_polled {
                entry.changed();
            }
        }
        Ok(())
    }
}

/// The pause of a stream after an error of the store: random, so that streams do not all read again at the same time.
pub(super) fn retry_delay() -> Duration {
    rand::random_range(MIN_RETRY_DELAY..MAX_RETRY_DELAY)
}

/// Renews the request for signals about storages. Without it, changes are found by the poll.
async fn renew_watches<S: StorageStore + ?Sized>(store: &S, ids: &[ServiceId]) {
    let storages: Vec<ServiceId> = ids.iter().filter_map(service_of_storage_signal).collect();
    for batch in storages.chunks(BATCH) {
        if let Err(error) = store.watch(batch, WATCH_TTL).await {
            debug!(%error, "watched storages not announced");
        }
    }
}

impl Listened {
    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl Shared {
    fn wake(&self, id: &ServiceId) {
        if let Some(entry) = self.lock().get(id) {
            entry.changed();
        }
    }

    /// A panic cannot leave the map inconsistent, so a poisoned lock is used as it is.
    fn lock(&self) -> MutexGuard<'_, HashMap<ServiceId, Listened>> {
        self.listened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener to one chat, storage or user, until it is dropped.
pub struct ChangeListener {
    receiver: watch::Receiver<u64>,
    is_client_stream: bool,
    id: ServiceId,
    shared: Arc<Shared>,
}

impl ChangeListener {
    /// The id in signals.
    pub(super) fn id(&self) -> &ServiceId {
        &self.id
    }

    /// Counts this listener as a stream of the client of a chat, or of a watcher. Returns whether there are at most `max`.
    pub(in crate::service) fn count_as_client_stream(&mut self, max: usize) -> bool {
        let mut listened = self.shared.lock();
        let Some(chat) = listened.get_mut(&self.id) else {
            return false;
        };
        if !mem::replace(&mut self.is_client_stream, true) {
            chat.client_streams += 1;
        }
        chat.client_streams <= max
    }

    /// The number of changes so far.
    pub(super) fn changes(&self) -> u64 {
        *self.receiver.borrow()
    }

    /// Records the revision of the storage that was read, so that the poll does not report it again.
    pub(super) fn record_revision(&self, revision: Revision) {
        if let Some(entry) = self.shared.lock().get_mut(&self.id) {
            entry.version = Some(ChatVersion::of_storage(revision));
            entry.is_polled = true;
        }
    }

    /// Waits until there may have been a change since the last call.
    pub async fn changed(&mut self) {
        // The sender exists as long as this listener.
        drop(self.receiver.changed().await);
    }
}

impl Drop for ChangeListener {
    fn drop(&mut self) {
        let mut listened = self.shared.lock();
        if let Some(entry) = listened.get_mut(&self.id) {
            entry.client_streams -= usize::from(self.is_client_stream);
            if entry.changes.receiver_count() <= 1 {
                listened.remove(&self.id);
            }
        }
    }
}
