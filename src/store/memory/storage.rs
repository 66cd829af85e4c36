//! The storage of a service in the embedded store.

use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, state::ServiceRecord};
use crate::{
    model::{
        AllTexts, Changes, KeyName, ServiceId, StoreError, StoredKind, Value, WriteResult, binaries,
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
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        Ok(self.state().service(id).map(|record| {
            let bytes = text_bytes(record);
            if bytes > max_bytes {
                return AllTexts::TooLarge { bytes };
            }
            AllTexts::Texts(record.texts())
        }))
    }

    async fn write(
        &self,
        id: &ServiceId,
        changes: &Changes,
        ttl: Option<Duration>,
    ) -> Result<WriteResult, StoreError> {
        let mut state = self.state();
        let Some(record) = state.service(id) else {
            return Ok(WriteResult::ServiceNotFound);
        };
        if record.len_after(changes) > self.max_keys {
            return Ok(WriteResult::TooManyKeys);
        }
        if !binaries(&changes.set).all(|binary| state.is_uploaded(binary)) {
            return Ok(WriteResult::UploadLost);
        }
        state.check_room_for(&changes.set)?;
        state.remove_keys(id, &changes.remove);
        state.set_values(id, changes.set.clone());
        if let Some(ttl) = ttl {
            let end = state.clock.now().after(ttl);
            state.set_end(id, end);
        }
        Ok(WriteResult::Stored)
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut state = self.state();
        let Some(names) = state.service(id).map(ServiceRecord::names) else {
            return Ok(None);
        };
        state.remove_keys(id, &names);
        Ok(Some(()))
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
