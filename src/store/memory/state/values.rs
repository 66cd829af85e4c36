//! The keys of storages in the embedded store, and their revisions.

use super::{State, service_record::cost};
use crate::{
    model::{KeyName, Revision, ServiceId, Value},
    store::REPLACED_TTL,
};

impl State {
    /// Returns the revision of a new storage.
    pub(super) fn first_revision(&mut self) -> Revision {
        let microseconds = self.clock.now().millis().saturating_mul(1_000);
        let now = Revision::new(microseconds.try_into().unwrap_or(0));
        self.last_revision = self.last_revision.next().max(now);
        self.last_revision
    }

    /// Gives a storage that has changed a new revision, and returns it.
    pub(in crate::store::memory) fn new_revision(&mut self, id: &ServiceId) -> Revision {
        let Some(record) = self.services.get_mut(id) else {
            return self.last_revision;
        };
        record.revision = record.revision.next();
        self.last_revision = self.last_revision.max(record.revision);
        record.revision
    }

    /// Sets `values` of an active service.
    pub(in crate::store::memory) fn set_values(
        &mut self,
        id: &ServiceId,
        values: Vec<(KeyName, Value)>,
    ) {
        let names: Vec<KeyName> = values.iter().map(|(name, _)| name.clone()).collect();
        self.remove_keys(id, &names);
        for (name, value) in values {
            self.used_bytes += cost(&name, &value);
            if let Value::Binary(binary) = &value {
                let blob = self.blobs.get_mut(&binary.blob);
                let expiry_key = blob.and_then(|blob| blob.expiry_key.take());
                self.expiries.cancel(expiry_key);
            }
            if let Some(record) = self.services.get_mut(id) {
                record.values.insert(name, value);
            }
        }
    }

    /// Removes `names` of an active service, and returns how many there were. Their binaries remain readable for a
    /// minute.
    pub(in crate::store::memory) fn remove_keys(
        &mut self,
        id: &ServiceId,
        names: &[KeyName],
    ) -> usize {
        let mut removed = 0;
        for name in names {
            let record = self.services.get_mut(id);
            let Some(value) = record.and_then(|record| record.values.remove(name)) else {
                continue;
            };
            removed += 1;
            self.used_bytes -= cost(name, &value);
            if let Value::Binary(binary) = value {
                self.expire_blob_in(&binary.blob, REPLACED_TTL);
            }
        }
        removed
    }
}
