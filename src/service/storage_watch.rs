//! A stream of the changes of one storage to one watcher.

use std::{mem, slice, sync::Arc};

use tokio::{sync::OwnedSemaphorePermit, time};
use tracing::debug;

use super::{
    ChangeListener, ServiceError, Services, StorageAddress, StorageEvent,
    listeners::{HEARTBEAT_INTERVAL, WATCH_TTL, retry_delay},
    storage::{ConditionalRead, StorageStrings},
    watched_storages::{MAX_STALE, WatchState, WatchedStorage},
};
use crate::{
    memory_budget::OverBudget,
    model::{Revision, Revisions, ServiceId},
};

/// The next item of a [`StorageWatcher`].
#[derive(Debug)]
pub enum StorageWatchItem {
    /// A later state of the storage.
    Event(Arc<StorageEvent>),
    /// Nothing happened for a while, or the store failed.
    Heartbeat,
    /// The storage may have changed; the next item shows it.
    Changed,
    /// The service has ended.
    Ended,
    /// The storage does not fit into the memory for responses.
    TooLarge,
}

/// A stream of the states of a storage. It can skip states; the last one always follows.
pub struct StorageWatcher {
    services: Services,
    id: ServiceId,
    /// Dropped before the listener, whose changes its state counts.
    storage: Arc<WatchedStorage>,
    listener: ChangeListener,
    /// The revision that the client has.
    known: Option<Revision>,
    /// Until then, an older revision than that of a client that resumes is taken for one of a server that is behind.
    stale_until: Option<time::Instant>,
    /// What the first read returned.
    first: Option<Arc<StorageEvent>>,
    /// Whether the next item requires a check of the shared state.
    must_read: bool,
    _permit: OwnedSemaphorePermit,
}

impl Services {
    /// Watches the storage of a service. A client that has the revision `known` gets nothing if it is the current one.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`]; [`ServiceError::TooManyWatchers`] if this replica has as many streams as
    /// `limits.watchers` allows, [`ServiceError::TooManyStorageStreams`] if half of them are those of this storage;
    /// [`ServiceError::Overloaded`].
    pub async fn watch_storage(
        &self,
        id: &ServiceId,
        known: Option<Revision>,
    ) -> Result<StorageWatcher, ServiceError> {
        let permit = self.watcher_permit()?;
        let listeners = &self.context.change_listeners;
        // Before the first read, so that no change is missed. The storage is looked up after the listener is registered.
        let mut listener = listeners.listen_to_storage(id);
        let max_streams = self.context.limits.watchers.div_ceil(2);
        if !listener.count_as_client_stream(max_streams) {
            return Err(ServiceError::TooManyStorageStreams(max_streams));
        }
        let mut watcher = StorageWatcher {
            services: self.clone(),
            id: id.clone(),
            storage: listeners.storages().get(id),
            listener,
            known,
            stale_until: known.map(|_| time::Instant::now() + MAX_STALE),
            first: None,
            must_read: false,
            _permit: permit,
        };
        let announced = self.context.store.watch(slice::from_ref(id), WATCH_TTL);
        if let Err(error) = announced.await {
            debug!(id = %id.redacted(), %error, "watched storage not announced; the poll finds changes");
        }
        watcher.first = watcher.read(true).await?;
        Ok(watcher)
    }

    /// Watches a storage.
    ///
    /// # Errors
    /// As [`Services::watch_storage`], with [`ServiceError::NoSuchStorage`].
    pub async fn watch_storage_at(
        &self,
        address: &StorageAddress,
        known: Option<Revision>,
    ) -> Result<StorageWatcher, ServiceError> {
        // Not concurrently, because each call takes a permit and announces a watcher.
        address.change(|id| self.watch_storage(id, known)).await
    }
}

impl StorageWatcher {
    /// The revision that the client has.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.known
    }

    /// Waits for the next item. While the store fails there are only heartbeats.
    pub async fn next(&mut self) -> StorageWatchItem {
        let mut until = time::Instant::now() + HEARTBEAT_INTERVAL;
        let read = match self.first.take() {
            Some(event) => Ok(Some(event)),
            None if mem::take(&mut self.must_read) => {
                // On the heap, because a watcher waits most of the time.
                match time::timeout_at(until, Box::pin(self.read(false))).await {
                    Ok(read) => read,
                    Err(_elapsed) => {
                        self.must_read = true;
                        return StorageWatchItem::Heartbeat;
                    }
                }
            }
            None => Ok(None),
        };
        // The next call reads, so that the caller can end the stream first.
        self.must_read = true;
        match read {
            Ok(Some(event)) => {
                self.known = Some(event.revision);
                return StorageWatchItem::Event(event);
            }
            Ok(None) => {}
            Err(ServiceError::NoSuchService(_)) => return StorageWatchItem::Ended,
            Err(ServiceError::Overloaded(OverBudget::TooLarge { .. })) => {
                return StorageWatchItem::TooLarge;
            }
            Err(error) => {
                debug!(id = %self.id.redacted(), %error, "watched storage not read, retrying");
                until = time::Instant::now() + retry_delay();
            }
        }
        if let Some(stale_until) = self.stale_until.filter(|_| self.is_waiting()) {
            until = until.min(stale_until);
        }
        tokio::select! {
            () = self.listener.changed() => StorageWatchItem::Changed,
            () = time::sleep_until(until) => StorageWatchItem::Heartbeat,
        }
    }

    /// The next event, if the client does not have the current revision. Reads the storage if it was not read since the
    /// last change, or if `is_first`.
    async fn read(&self, is_first: bool) -> Result<Option<Arc<StorageEvent>>, ServiceError> {
        let mut state = self.storage.lock().await;
        let changes = self.listener.changes();
        if let Some(failure) = state.failure(&self.id, changes, is_first) {
            return Err(failure);
        }
        let read = self.read_event(&mut state, changes, is_first).await;
        if let Err(error) = &read {
            state.set_failed(changes, error);
        }
        read
    }

    async fn read_event(
        &self,
        state: &mut WatchState,
        changes: u64,
        is_first: bool,
    ) -> Result<Option<Arc<StorageEvent>>, ServiceError> {
        let mut contents = None;
        if is_first || !state.is_current(changes) {
            // A new watcher needs the contents, unless it or the state has those of the revision.
            let has_event = self.known == state.revision() || state.event_after(None).is_some();
            let known = state.revision().filter(|_| !is_first || has_event);
            contents = self.update(state, changes, known).await?;
        }
        // The client has the current revision, or one that a server that is behind does not have yet.
        let is_stale = state.revision() < self.known && self.is_waiting();
        if state.revision() == self.known || is_stale {
            return Ok(None);
        }
        // A client that resumes gets a snapshot.
        if let Some(event) = state.event_after(self.known.filter(|_| !is_first)) {
            return Ok(Some(event));
        }
        if contents.is_none() {
            contents = self.update(state, changes, None).await?;
        }
        contents
            .map(|contents| state.snapshot(contents))
            .transpose()
    }

    /// Whether an older revision than that of the client can be one of a server that is behind.
    fn is_waiting(&self) -> bool {
        self.stale_until
            .is_some_and(|until| time::Instant::now() < until)
    }

    /// Reads the storage and updates the state, unless the storage has the revision `known`.
    async fn update(
        &self,
        state: &mut WatchState,
        changes: u64,
        known: Option<Revision>,
    ) -> Result<Option<StorageStrings>, ServiceError> {
        let contents = self.read_contents(known).await?;
        if let Some(contents) = &contents {
            state.update(contents, &self.services.context.memory.responses)?;
        }
        self.set_current(state, changes);
        Ok(contents)
    }

    fn set_current(&self, state: &mut WatchState, changes: u64) {
        state.set_current(changes);
        if let Some(revision) = state.revision() {
            self.listener.record_revision(revision);
        }
    }

    /// Reads the storage; `None` if it has the revision `known`.
    async fn read_contents(
        &self,
        known: Option<Revision>,
    ) -> Result<Option<StorageStrings>, ServiceError> {
        let known = Revisions::Listed(known.into_iter().collect());
        match self.services.read_contents(&self.id, &known, true).await? {
            ConditionalRead::Strings(contents) => Ok(Some(contents)),
            ConditionalRead::NotModified(_) => Ok(None),
        }
    }
}
