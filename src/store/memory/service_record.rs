//! The data of one service in the embedded store.

use std::collections::BTreeMap;

use super::state::ExpiryKey;
use crate::model::{
    BackendSession, BookingId, Changes, Description, IdempotencyKey, KeyName, Timestamp, Value,
};

/// An active service.
#[derive(Default)]
pub(super) struct ServiceRecord {
    pub(super) definition: String,
    pub(super) created: Timestamp,
    pub(super) end: Timestamp,
    pub(super) claim: Option<IdempotencyKey>,
    pub(super) response: Option<String>,
    pub(super) gms_user: Option<String>,
    /// The group and id of each of its bookings.
    pub(super) bookings: Vec<(String, BookingId)>,
    pub(super) sessions: Vec<BackendSession>,
    pub(super) values: BTreeMap<KeyName, Value>,
    /// The key of its entry in the expiry queue, if scheduled.
    pub(super) expiry_key: Option<ExpiryKey>,
}

impl ServiceRecord {
    pub(super) fn get(&self, key: &KeyName) -> Option<&Value> {
        self.values.get(key)
    }

    pub(super) fn names(&self) -> Vec<KeyName> {
        self.values.keys().cloned().collect()
    }

    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let text = |(name, value): (&KeyName, &Value)| match value {
            Value::Text(text) => Some((name.as_str().to_owned(), text.clone())),
            Value::Binary(_) => None,
        };
        self.values.iter().filter_map(text).collect()
    }

    pub(super) fn describe(&self) -> Description {
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
    pub(super) fn len_after(&self, changes: &Changes) -> usize {
        let set = changes.set.iter().map(|(name, _)| name);
        let added = set.filter(|name| !self.values.contains_key(name)).count();
        let exists = |name: &&KeyName| self.values.contains_key(name);
        self.values.len() + added - changes.remove.iter().filter(exists).count()
    }
}
