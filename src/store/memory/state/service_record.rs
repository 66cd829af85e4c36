//! The data of one service in the embedded store.

use std::collections::BTreeMap;

use super::{ChatRecord, expiry_queue::ExpiryKey};
use crate::model::{
    BackendSession, BookingId, Changes, Description, IdempotencyKey, KeyName, Revision,
    RunningService, StorageContents, Timestamp, Value, WriteCondition, webhook::Subscription,
};

/// An active service.
#[derive(Default)]
pub(in crate::store::memory) struct ServiceRecord {
    pub(in crate::store::memory) definition: String,
    pub(in crate::store::memory) created: Timestamp,
    pub(in crate::store::memory) end: Timestamp,
    pub(in crate::store::memory) claim: Option<IdempotencyKey>,
    pub(in crate::store::memory) response: Option<String>,
    pub(in crate::store::memory) gms_user: Option<String>,
    /// The group and id of each of its bookings.
    pub(in crate::store::memory) bookings: Vec<(String, BookingId)>,
    pub(in crate::store::memory) sessions: Vec<BackendSession>,
    pub(in crate::store::memory) values: BTreeMap<KeyName, Value>,
    /// The revision of `values`.
    pub(in crate::store::memory) revision: Revision,
    pub(in crate::store::memory) chat: Option<ChatRecord>,
    /// The time until which its storage is watched.
    pub(in crate::store::memory) watched_until: Option<Timestamp>,
    pub(in crate::store::memory) webhook: Option<Subscription>,
    /// Whether the create is to be finished.
    pub(in crate::store::memory) is_pending: bool,
    /// The key of its entry in the expiry queue, if scheduled.
    pub(in crate::store::memory) expiry_key: Option<ExpiryKey>,
}

impl ServiceRecord {
    pub(in crate::store::memory) fn get(&self, key: &KeyName) -> Option<&Value> {
        self.values.get(key)
    }

    pub(in crate::store::memory) fn running(&self) -> RunningService {
        RunningService {
            definition: self.definition.clone(),
            session: self.sessions.last().cloned(),
        }
    }

    pub(in crate::store::memory) fn names(&self) -> Vec<KeyName> {
        self.values.keys().cloned().collect()
    }

    /// Returns the keys.
    pub(in crate::store::memory) fn contents(&self, with_binaries: bool) -> StorageContents {
        let mut contents = StorageContents {
            revision: self.revision,
            texts: Vec::new(),
            binaries: Vec::new(),
        };
        for (name, value) in &self.values {
            let name = name.as_str().to_owned();
            match value {
                Value::Text(text) => contents.texts.push((name, text.clone())),
                Value::Binary(binary) if with_binaries => {
                    contents.binaries.push((name, binary.clone()));
                }
                Value::Binary(_) => {}
            }
        }
        contents
    }

    /// Whether `condition` is met for a change of the keys `names`.
    pub(in crate::store::memory) fn meets<'a>(
        &self,
        condition: &WriteCondition,
        mut names: impl Iterator<Item = &'a KeyName>,
    ) -> bool {
        let revisions = condition.revisions.as_ref();
        revisions.is_none_or(|revisions| revisions.contains(self.revision))
            && !(condition.names_are_new && names.any(|name| self.values.contains_key(name)))
    }

    pub(in crate::store::memory) fn describe(&self) -> Description {
        let mut description = Description {
            definition: self.definition.clone(),
            created: self.created,
            end: self.end,
            gms_user: self.gms_user.clone(),
            keys: Vec::new(),
            binaries: Vec::new(),
        };
        for (name, value) in &self.values {
            let name = name.as_str().to_owned();
            match value {
                Value::Text(_) => description.keys.push(name),
                Value::Binary(binary) => description.binaries.push((name, binary.clone())),
            }
        }
        description
    }

    /// Returns the number of keys after `changes`.
    pub(in crate::store::memory) fn len_after(&self, changes: &Changes) -> usize {
        let set = changes.set.iter().map(|(name, _)| name);
        let added = set.filter(|name| !self.values.contains_key(name)).count();
        let exists = |name: &&KeyName| self.values.contains_key(name);
        self.values.len() + added - changes.remove.iter().filter(exists).count()
    }
}

/// The accounted bytes of a key, without the chunks of a binary.
pub(super) fn cost(name: &KeyName, value: &Value) -> usize {
    let value = match value {
        Value::Text(text) => text.len(),
        Value::Binary(_) => 0,
    };
    name.as_str().len() + value
}
