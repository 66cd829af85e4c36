//! What the watchers of one storage on this replica share: which contents were read last, and the events of recent
//! changes. So each change is read from the store once, whatever the number of watchers.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use serde::{Serializer, ser::SerializeMap};
use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard},
    time::Instant,
};

use super::{ServiceError, storage::StorageStrings};
use crate::{
    memory_budget::{MemoryBudget, Reservation},
    model::{Binary, Revision, ServiceId, StoreError},
};

/// The maximum memory of the hashes of a storage. If there are more keys, watchers get all of them after each change.
const MAX_HASH_BYTES: usize = 6 * 1024;
/// The memory of a hash, in addition to the name.
const HASH_BYTES: usize = 56;
/// The maximum number of events that are kept for watchers that have not received them yet, and for how long. Later they
/// get all keys.
const MAX_EVENTS: usize = 16;
const MAX_EVENT_AGE: Duration = Duration::from_secs(1);

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
}

/// What an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageEventKind {
    /// All keys.
    Snapshot,
    /// The keys that differ from those of the previous event.
    Change,
}

/// An event for the watchers of a storage.
#[derive(Debug)]
pub struct StorageEvent {
    /// What it has.
    pub kind: StorageEventKind,
    /// The revision after it.
    pub revision: Revision,
    /// The keys as a JSON object.
    pub json: Bytes,
    /// The revision before a change.
    from: Option<Revision>,
    created: Instant,
    _memory: Reservation,
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
        let is_current_snapshot = |event: &&Arc<StorageEvent>| {
            event.kind == StorageEventKind::Snapshot && Some(event.revision) == self.revision
        };
        change
            .or_else(|| self.events.iter().find(is_current_snapshot))
            .cloned()
    }

    /// Records contents that were read, and makes the event of their difference to the previous ones.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]; nothing is recorded.
    pub(super) fn update(
        &mut self,
        contents: &StorageStrings,
        memory: &MemoryBudget,
    ) -> Result<(), ServiceError> {
        if self.revision == Some(contents.revision) {
            return Ok(());
        }
        let hashes = self.hashes_of(contents);
        if let (Some(_), Some(before), Some(after)) = (self.revision, &self.hashes, &hashes) {
            let event = self.change_event(contents, before, after, memory)?;
            self.keep(event);
        }
        self.revision = Some(contents.revision);
        self.hashes = hashes;
        Ok(())
    }

    /// Makes the event with all keys of the current contents.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]
    pub(super) fn snapshot(
        &mut self,
        contents: &StorageStrings,
        memory: &MemoryBudget,
    ) -> Result<Arc<StorageEvent>, ServiceError> {
        let (json, memory) = to_json(contents, |_| true, &[], memory)?;
        let event = StorageEvent {
            kind: StorageEventKind::Snapshot,
            revision: contents.revision,
            json,
            from: None,
            created: Instant::now(),
            _memory: memory,
        };
        Ok(self.keep(event))
    }

    fn change_event(
        &self,
        contents: &StorageStrings,
        before: &BTreeMap<Box<str>, u64>,
        after: &BTreeMap<Box<str>, u64>,
        memory: &MemoryBudget,
    ) -> Result<StorageEvent, ServiceError> {
        let is_gone = |name: &&str| !after.contains_key(*name);
        let gone: Vec<&str> = before.keys().map(AsRef::as_ref).filter(is_gone).collect();
        let differs = |name: &str| before.get(name) != after.get(name);
        let (json, memory) = to_json(contents, differs, &gone, memory)?;
        Ok(StorageEvent {
            kind: StorageEventKind::Change,
            revision: contents.revision,
            json,
            from: self.revision,
            created: Instant::now(),
            _memory: memory,
        })
    }

    fn keep(&mut self, event: StorageEvent) -> Arc<StorageEvent> {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
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

/// The keys that `includes` selects as a JSON object, and null for those that are `gone`.
fn to_json(
    contents: &StorageStrings,
    includes: impl Fn(&str) -> bool,
    gone: &[&str],
    memory: &MemoryBudget,
) -> Result<(Bytes, Reservation), ServiceError> {
    let texts = || contents.pairs.iter().filter(|(name, _)| includes(name));
    let expected = texts().map(|(name, text)| name.len() + text.len() + 6);
    let mut reserved = memory.reserve(expected.sum::<usize>())?;
    let mut json = Vec::with_capacity(reserved.bytes());
    let written = (|| {
        let mut serializer = serde_json::Serializer::new(&mut json);
        let mut map = serializer.serialize_map(None)?;
        for (name, text) in texts() {
            map.serialize_entry(name, text)?;
        }
        for (name, binary) in &contents.binaries {
            if includes(name) {
                map.serialize_entry(name, &BinaryValue::new(binary))?;
            }
        }
        for name in gone {
            map.serialize_entry(name, &())?;
        }
        map.end()
    })();
    written.map_err(|error: serde_json::Error| StoreError::Bug(error.to_string()))?;
    reserved.grow(json.len().saturating_sub(reserved.bytes()))?;
    Ok((Bytes::from(json), reserved))
}

/// The value of a key that is a binary.
#[derive(serde::Serialize)]
struct BinaryValue<'a> {
    #[serde(rename = "_binary")]
    binary: BinaryDescriptor<'a>,
}

#[derive(serde::Serialize)]
struct BinaryDescriptor<'a> {
    content_type: &'a str,
    file_name: Option<&'a str>,
    size: u64,
    /// That of the binary, which identifies its version.
    etag: String,
}

impl<'a> BinaryValue<'a> {
    fn new(binary: &'a Binary) -> Self {
        Self {
            binary: BinaryDescriptor {
                content_type: &binary.content_type,
                file_name: binary.file_name.as_deref(),
                size: binary.size,
                etag: format!("\"{}\"", binary.blob.as_str()),
            },
        }
    }
}
