//! A stream of the changes of one storage to one watcher.

use std::{mem, slice, sync::Arc};

use tokio::{sync::OwnedSemaphorePermit, time};
use tracing::debug;

pub use super::watched_storages::{StorageEvent, StorageEventKind};
use super::{
    ChangeListener, ServiceError, Services, StorageAddress,
    listeners::{HEARTBEAT_INTERVAL, WATCH_TTL, retry_delay},
    storage::{ConditionalRead, StorageStrings},
    watched_storages::{WatchState, WatchedStorage},
};
use crate::model::{Revision, Revisions, ServiceId};

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
    /// `limits.watchers` allows; [`ServiceError::Overloaded`].
    pub async fn watch_storage(
        &self,
        id: &ServiceId,
        known: Option<Revision>,
    ) -> Result<StorageWatcher, ServiceError> {
        let permit = self.watcher_permit()?;
        let listeners = &self.context.change_listeners;
        // Before the first read, so that no change is missed. The storage is looked up after the listener is registered.
        let listener = listeners.listen_to_storage(id);
        let mut watcher = StorageWatcher {
            services: self.clone(),
            id: id.clone(),
            storage: listeners.storages().get(id),
            listener,
            known,
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
        address.read(|id| self.watch_storage(id, known)).await
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
        let until = time::Instant::now() + HEARTBEAT_INTERVAL;
        let read = match self.first.take() {
            Some(event) => Ok(Some(event)),
            None if mem::take(&mut self.must_read) => self.read(false).await,
            None => Ok(None),
        };
        match read {
            Ok(Some(event)) => {
                self.known = Some(event.revision);
                self.must_read = true;
                return StorageWatchItem::Event(event);
            }
            Ok(None) => {}
            Err(ServiceError::NoSuchService(_)) => return StorageWatchItem::Ended,
            Err(error) => {
                debug!(id = %self.id.redacted(), %error, "watched storage not read, retrying");
                time::sleep(retry_delay()).await;
                self.must_read = true;
                return StorageWatchItem::Heartbeat;
            }
        }
        // The next call reads, so that the caller can end the stream first.
        self.must_read = true;
        tokio::select! {
            () = self.listener.changed() => StorageWatchItem::Changed,
            () = time::sleep_until(until) => StorageWatchItem::Heartbeat,
        }
    }

    /// The next event, if the client does not have the current revision. Reads the storage if it was not read since the
    /// last change, or if `is_first`.
    async fn read(&self, is_first: bool) -> Result<Option<Arc<StorageEvent>>, ServiceError> {
        let memory = &self.services.context.memory.responses;
        let mut state = self.storage.lock().await;
        let changes = self.listener.changes();
        let mut contents = None;
        if is_first || !state.is_current(changes) {
            contents = self.read_contents(state.revision()).await?;
            if let Some(contents) = &contents {
                state.update(contents, memory)?;
            }
            self.set_current(&mut state, changes);
        }
        if state.revision() == self.known {
            return Ok(None);
        }
        // A client that resumes gets a snapshot.
        let after = self.known.filter(|_| !is_first);
        if let Some(event) = state.event_after(after) {
            return Ok(Some(event));
        }
        let contents = match contents {
            Some(contents) => contents,
            None => match self.read_contents(None).await? {
                Some(contents) => contents,
                None => return Ok(None),
            },
        };
        state.update(&contents, memory)?;
        self.set_current(&mut state, changes);
        state.snapshot(&contents, memory).map(Some)
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
