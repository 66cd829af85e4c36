//! The storage of a service: fields of its hash.

use redis::{Cmd, cmd};

use super::{
    OWN_OUTLIVES_BY, RedisStore,
    binaries::{descriptor, entry},
    binaries_of,
    keys::{self, Field},
    millis,
    reply::Reply,
    scripts::{CLEAR, READ_ALL, WRITE, call},
};
use crate::store::{
    AllTexts, Binary, Changes, KeyName, ServiceId, Slot, StoreError, Value, Written,
};

/// The longest answer that small requests wait behind.
const MAX_ON_LANE_BYTES: usize = 1024 * 1024;

impl RedisStore {
    pub(super) async fn read_slot(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Slot>, StoreError> {
        // One field is all that most readers cost. Only where it is absent is it asked why; the field once
        // more, because it may have been written in between.
        let service = self.keys.service(id);
        let mut get = cmd("HGET");
        get.arg(&service).arg(key.as_str());
        if let Some(text) = self.redis.query(&get).await? {
            return Ok(Some(Slot::Text(text)));
        }
        let mut why = cmd("HMGET");
        why.arg(service).arg(keys::DEFINITION);
        why.arg(key.as_str()).arg(keys::binary_field(key));
        let slot: (Option<()>, Option<String>, Option<()>) = self.redis.query(&why).await?;
        Ok(match slot {
            (None, _, _) => None,
            (Some(()), Some(text), _) => Some(Slot::Text(text)),
            (Some(()), None, Some(())) => Some(Slot::Binary),
            (Some(()), None, None) => Some(Slot::Empty),
        })
    }

    pub(super) async fn read_texts(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        let mut read = call(&READ_ALL, &[self.keys.service(id)]);
        read.arg(max_bytes);
        // No small request waits behind a big answer.
        let answer: redis::Value = if max_bytes > MAX_ON_LANE_BYTES {
            self.redis.query_apart(&read).await?
        } else {
            self.redis.query(&read).await?
        };
        if let redis::Value::Int(bytes) = answer {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            return Ok(Some(AllTexts::TooLarge { bytes }));
        }
        let fields: Result<Vec<(String, String)>, _> = redis::from_redis_value(answer);
        let mut fields = fields.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if fields.is_empty() {
            return Ok(None);
        }
        fields.retain(|(field, _)| matches!(Field::of(field), Field::Text(_)));
        Ok(Some(AllTexts::Texts(fields)))
    }

    pub(super) async fn write_changes(
        &self,
        id: &ServiceId,
        changes: Changes,
    ) -> Result<Written, StoreError> {
        let has_binaries = changes
            .set
            .iter()
            .any(|(_, value)| matches!(value, Value::Binary(_)));
        let write = self.write_call(id, changes)?;
        let reply = if has_binaries {
            self.redis.indexed(self.look_soon(id)?, write).await?
        } else {
            self.redis.change(&write).await?
        };
        match reply {
            Reply::Done(replaced) => {
                self.retire(id, replaced).await;
                Ok(Written::Stored)
            }
            Reply::Refused(_) => Ok(Written::NoService),
            Reply::UploadLost => Ok(Written::UploadLost),
            Reply::TooManyKeys => Ok(Written::TooManyKeys),
            other => Err(other.unexpected()),
        }
    }

    fn write_call(&self, id: &ServiceId, changes: Changes) -> Result<Cmd, StoreError> {
        let mut touched = Vec::with_capacity(changes.set.len() + changes.remove.len());
        let mut gone = Vec::with_capacity(changes.remove.len());
        let mut set = Vec::with_capacity(2 * changes.set.len());
        let binaries = binaries_of(&changes.set);
        for name in changes.remove {
            touched.push(keys::binary_field(&name));
            gone.push(name.into_string());
        }
        for (name, value) in changes.set {
            touched.push(keys::binary_field(&name));
            if matches!(value, Value::Binary(_)) {
                gone.push(name.as_str().to_owned());
            }
            set.extend(<[String; 2]>::from(entry(name, value)?));
        }
        // A key that is not there keeps a script waiting while its slot moves, so `own` is named only where
        // it is written to.
        let mut keys = vec![self.keys.service(id)];
        if !binaries.is_empty() {
            keys.push(self.keys.own(id));
        }
        let blobs = binaries.iter();
        keys.extend(blobs.map(|binary| self.keys.blob(id, &binary.blob)));
        let mut write = call(&WRITE, &keys);
        write.arg(self.max_keys).arg(millis(OWN_OUTLIVES_BY));
        for list in [&touched, &gone, &set] {
            write.arg(list.len()).arg(list);
        }
        for binary in &binaries {
            write
                .arg(binary.chunks())
                .arg(keys::owned_blob_field(&binary.blob));
        }
        Ok(write)
    }

    pub(super) async fn clear_storage(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let clear = call(&CLEAR, &[self.keys.service(id)]);
        match self.redis.change(&clear).await? {
            Reply::Done(replaced) => {
                self.retire(id, replaced).await;
                Ok(Some(()))
            }
            Reply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    pub(super) async fn find_descriptor(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::binary_field(key));
        let (alive, text): (Option<()>, Option<String>) = self.redis.query(&get).await?;
        let binary = text.map(|text| descriptor(&text)).transpose()?;
        Ok(alive.map(|()| binary))
    }
}
