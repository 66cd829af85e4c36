//! What the watchers of one storage on this replica share: which contents were read last, and the events of recent
//! changes. So each change is read from the store once, whatever the number of watchers.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard},
    time::Instant,
};

use super::{
    ServiceError,
    storage::StorageStrings,
    storage_event::{StorageEvent, StorageEventKind},
};
use crate::{
    memory_budget::{MemoryBudget, OverBudget},
    model::{Revision, ServiceId, StoreError},
};

/// The maximum memory of the hashes of a storage. If there are more keys, watchers get all of them after each change.
const MAX_HASH_BYTES: usize = 6 * 1024;
/// The memory of a hash, in addition to the name.
const HASH_BYTES: usize = 56;
/// The maximum number of events that are kept for watchers that have not received them yet, their bytes unless it is
/// one event, and for how long. Later they get all keys.
const MAX_EVENTS: usize = 16;
const MAX_EVENT_BYTES: usize = 1024 * 1024;
const MAX_EVENT_AGE: Duration = Duration::from_secs(1);
/// The pause after a read that failed, for all watchers of a storage.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long an older revision than the last one is taken for a read of a server that is behind. Then the store has lost
/// changes, and watchers get its contents.
pub(super) const MAX_STALE: Duration = Duration::from_secs(5);

/// The watched storages of this replica.
#[derive(Default)]
pub(super) struct WatchedStorages(Mutex<HashMap<ServiceId, Weak<WatchedStorage>>>);

/// A watched storage.
#[derive(Default)]
pub(super) struct WatchedStorage(AsyncMutex<WatchState>);

/// What was read last.
#[derive(Default)]
pub(super) struct WatchState {
    /// The number of changes of which the listeners knew before the last read.
    changes: Option<u64>,
    revision: Option<Revision>,
    /// The hashes of the values by name, unless there are too many. The hash function has a random key.
    hashes: Option<BTreeMap<Box<str>, u64>>,
    hash_function: RandomState,
    events: VecDeque<Arc<StorageEvent>>,
    /// That of the last read.
    failure: Option<Failure>,
    /// Since when reads return an older revision.
    stale_since: Option<Instant>,
}

/// Why there are no contents.
enum Failure {
    /// The service has ended.
    Ended,
    /// The contents do not fit into memory.
    TooLarge(OverBudget),
    /// The read failed, and there is none before this time.
    RetryAt(Instant),
}

impl WatchedStorages {
    /// The storage of `id`.
    pub(super) fn get(&self, id: &ServiceId) -> Arc<WatchedStorage> {
        let mut storages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(storage) = storages.get(id).and_then(Weak::upgrade) {
            return storage;
        }
        let storage = Arc::new(WatchedStorage::default());
        storages.insert(id.clone(), Arc::downgrade(&storage));
        storage
    }

    /// Drops old events, and storages that have no watchers any more.
    pub(super) fn release_events(&self) {
        let mut storages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        storages.retain(|_, storage| {
            let Some(storage) = storage.upgrade() else {
                return false;
            };
            // A storage that is being read releases its events the next time.
            if let Ok(mut state) = storage.0.try_lock() {
                state.release_events();
            }
            true
        });
    }
}

impl WatchedStorage {
    /// Waits until no other watcher reads the storage.
    pub(super) async fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.0.lock().await
    }
}

impl WatchState {
    /// Whether the storage was read after this number of changes.
    pub(super) fn is_current(&self, changes: u64) -> bool {
        self.changes == Some(changes)
    }

    /// Records that the storage was read after this number of changes.
    pub(super) fn set_current(&mut self, changes: u64) {
        self.changes = Some(changes);
        self.failure = None;
        self.stale_since = None;
    }

    /// Records that the storage was not read after this number of changes.
    pub(super) fn set_failed(&mut self, changes: u64, error: &ServiceError) {
        let final_failure = match error {
            ServiceError::NoSuchService(_) => Some(Failure::Ended),
            ServiceError::Overloaded(error @ OverBudget::TooLarge { .. }) => {
                Some(Failure::TooLarge(error.clone()))
            }
            _ => None,
        };
        self.changes = final_failure.as_ref().map(|_| changes);
        let retry = || Failure::RetryAt(Instant::now() + RETRY_PAUSE);
        self.failure = Some(final_failure.unwrap_or_else(retry));
    }

    /// The error of the last read, if it is that of a read now. A new watcher reads, unless the store has just failed.
    pub(super) fn failure(
        &self,
        id: &ServiceId,
        changes: u64,
        is_first: bool,
    ) -> Option<ServiceError> {
        let is_final = !is_first && self.is_current(changes);
        match self.failure.as_ref()? {
            Failure::Ended if is_final => Some(ServiceError::NoSuchService(id.clone())),
            Failure::TooLarge(error) if is_final => Some(error.clone().into()),
            Failure::RetryAt(time) if Instant::now() < *time => {
                Some(StoreError::Unavailable("the storage was not read".to_owned()).into())
            }
            _ => None,
        }
    }

    /// The revision that was read last.
    pub(super) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The event for a watcher that has `known`, which is not the current revision.
    pub(super) fn event_after(&self, known: Option<Revision>) -> Option<Arc<StorageEvent>> {
        let change = self
            .events
            .iter()
            .find(|event| known.is_some() && event.from == known);
        let is_snapshot = |event: &&Arc<StorageEvent>| event.kind == StorageEventKind::Snapshot;
        change
            .or_else(|| self.events.iter().find(is_snapshot))
            .cloned()
    }

    /// Records contents that were read, and makes the event of their difference to the previous ones.
    ///
    /// # Errors
    /// [`ServiceError::Store`] if they are older than those before; nothing is recorded.
    pub(super) fn update(
        &mut self,
        contents: &StorageStrings,
        memory: &MemoryBudget,
    ) -> Result<(), ServiceError> {
        let revision = Some(contents.revision);
        if self.revision == revision {
            return Ok(());
        }
        if revision < self.revision {
            let since = *self.stale_since.get_or_insert_with(Instant::now);
            if since.elapsed() < MAX_STALE {
                let stale = "an older revision of the storage was read".to_owned();
                return Err(StoreError::Unavailable(stale).into());
            }
            self.events.clear();
            self.hashes = None;
        }
        let hashes = self.hashes_of(contents);
        // A snapshot is that of the current revision only.
        self.events
            .retain(|event| event.kind == StorageEventKind::Change);
        // Without memory for it, or a hash for each key, watchers get a snapshot.
        match (&self.hashes, &hashes) {
            (Some(before), Some(after)) => match self.change(contents, before, after, memory) {
                Ok(event) => drop(self.keep(event)),
                Err(_no_memory) => self.events.clear(),
            },
            _ => self.events.clear(),
        }
        self.revision = revision;
        self.hashes = hashes;
        Ok(())
    }

    /// Makes the event with all keys of the current contents.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]
    pub(super) fn snapshot(
        &mut self,
        contents: StorageStrings,
    ) -> Result<Arc<StorageEvent>, ServiceError> {
        StorageEvent::snapshot(contents).map(|event| self.keep(event))
    }

    fn change(
        &self,
        contents: &StorageStrings,
        before: &BTreeMap<Box<str>, u64>,
        after: &BTreeMap<Box<str>, u64>,
        memory: &MemoryBudget,
    ) -> Result<StorageEvent, ServiceError> {
        let is_gone = |name: &&str| !after.contains_key(*name);
        let gone: Vec<&str> = before.keys().map(AsRef::as_ref).filter(is_gone).collect();
        let differs = |name: &str| before.get(name) != after.get(name);
        StorageEvent::change(contents, differs, &gone, self.revision, memory)
    }

    fn keep(&mut self, event: StorageEvent) -> Arc<StorageEvent> {
        let kept = self.events.iter().map(|event| event.bytes());
        let mut bytes = kept.sum::<usize>() + event.bytes();
        while self.events.len() == MAX_EVENTS || bytes > MAX_EVENT_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            bytes -= oldest.bytes();
        }
        let event = Arc::new(event);
        self.events.push_back(Arc::clone(&event));
        event
    }

    fn release_events(&mut self) {
        self.events
            .retain(|event| event.created.elapsed() < MAX_EVENT_AGE);
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// The hashes of the values; `None` if there are too many.
    fn hashes_of(&self, contents: &StorageStrings) -> Option<BTreeMap<Box<str>, u64>> {
        let names = contents.pairs.iter().map(|(name, _)| name);
        let names = names.chain(contents.binaries.iter().map(|(name, _)| name));
        let bytes: usize = names.map(|name| name.len() + HASH_BYTES).sum();
        if bytes > MAX_HASH_BYTES {
            return None;
        }
        let hash = |is_binary: bool, value: &str| self.hash_function.hash_one((is_binary, value));
        let texts = contents.pairs.iter();
        let texts = texts.map(|(name, text)| (name.as_str().into(), hash(false, text)));
        let binaries = contents.binaries.iter();
        let binaries =
            binaries.map(|(name, binary)| (name.as_str().into(), hash(true, binary.blob.as_str())));
        Some(texts.chain(binaries).collect())
    }
}

#[cfg(test)]
mod tests;
