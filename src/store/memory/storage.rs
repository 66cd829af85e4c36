//! The storage of a service in the embedded store.

use std::{sync::MutexGuard, time::Duration};

use async_trait::async_trait;

use super::{
    MemoryStore,
    state::{ServiceRecord, State},
};
use crate::{
    model::{
        Changes, KeyName, ReadAll, Revision, ServiceId, StorageRead, StoreError, StoredKind, Value,
        WriteCondition, WriteResult, binaries, storage_signal_id,
    },
    store::StorageStore,
};

#[async_trait]
impl StorageStore for MemoryStore {
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| match record.get(key) {
                Some(Value::Text(text)) => StoredKind::Text(text.clone()),
                Some(Value::Binary(_)) => StoredKind::Binary,
                None => StoredKind::Empty,
            }))
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        read: &ReadAll,
    ) -> Result<Option<StorageRead>, StoreError> {
        Ok(self.state().service(id).map(|record| {
            if read.known.contains(record.revision) {
                return StorageRead::Known(record.revision);
            }
            let bytes = text_bytes(record);
            if bytes > read.max_bytes {
                return StorageRead::TooLarge { bytes };
            }
            StorageRead::Contents(record.contents(read.with_binaries))
        }))
    }

    async fn write(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
    ) -> Result<WriteResult, StoreError> {
        let set = changes.set.iter().map(|(name, _)| name);
        let names = set.chain(&changes.remove);
        self.change_if(id, &changes.condition, names, |mut state, revision| {
            let len = state
                .service(id)
                .map_or(0, |record| record.len_after(changes));
            if len > self.max_keys {
                return Ok(WriteResult::TooManyKeys);
            }
            if !binaries(&changes.set).all(|binary| state.is_uploaded(binary)) {
                return Ok(WriteResult::UploadLost);
            }
            state.check_room_for(&changes.set)?;
            let removed = state.remove_keys(id, &changes.remove);
            state.set_values(id, changes.set.clone());
            if let Some(ttl) = ttl {
                let end = state.clock.now().after(ttl);
                state.set_end(id, end);
            }
            if removed == 0 && changes.set.is_empty() {
                return Ok(WriteResult::Stored(revision));
            }
            Ok(WriteResult::Stored(self.finish_change(state, id)))
        })
    }

    async fn watch(&self, ids: &[ServiceId], ttl: Duration) -> Result<(), StoreError> {
        let (mut state, until) = (self.state(), self.clock.now().after(ttl));
        for id in ids {
            if let Some(record) = state.services.get_mut(id) {
                record.watched_until = record.watched_until.max(Some(until));
            }
        }
        Ok(())
    }

    async fn clear(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError> {
        self.change_if(id, condition, [].iter(), |mut state, revision| {
            let names = state.service(id).map(ServiceRecord::names);
            if state.remove_keys(id, &names.unwrap_or_default()) == 0 {
                return Ok(WriteResult::Stored(revision));
            }
            Ok(WriteResult::Stored(self.finish_change(state, id)))
        })
    }

    async fn delete_area(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
    ) -> Result<WriteResult, StoreError> {
        self.change_if(id, condition, [].iter(), |mut state, revision| {
            let deleted = state.delete(id);
            Ok(deleted.map_or(WriteResult::ServiceNotFound, |()| {
                WriteResult::Stored(revision)
            }))
        })
    }
}

impl MemoryStore {
    /// Changes the keys `names` of a storage by `change`, which gets the current revision, if the condition is met.
    fn change_if<'a>(
        &self,
        id: &ServiceId,
        condition: &WriteCondition,
        names: impl Iterator<Item = &'a KeyName>,
        change: impl FnOnce(MutexGuard<'_, State>, Revision) -> Result<WriteResult, StoreError>,
    ) -> Result<WriteResult, StoreError> {
        let state = self.state();
        let Some(record) = state.service(id) else {
            return Ok(WriteResult::ServiceNotFound);
        };
        let revision = record.revision;
        if !record.meets(condition, names) {
            return Ok(WriteResult::ConditionFailed(revision));
        }
        change(state, revision)
    }

    /// Gives a storage that has changed a new revision, and notifies watchers.
    fn finish_change(&self, mut state: MutexGuard<'_, State>, id: &ServiceId) -> Revision {
        let (revision, now) = (state.new_revision(id), self.clock.now());
        let watched_until = state.service(id).and_then(|record| record.watched_until);
        drop(state);
        if watched_until.is_some_and(|until| until > now) {
            self.chat_signals.send(storage_signal_id(id));
        }
        revision
    }
}

/// The total bytes of the names and values of all strings.
fn text_bytes(record: &ServiceRecord) -> usize {
    let bytes = record
        .values
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Text(text) => Some(name.as_str().len() + text.len()),
            Value::Binary(_) => None,
        });
    bytes.sum()
}
