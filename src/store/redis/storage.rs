//! The storage of a service: the fields of its hash.

use async_trait::async_trait;
use redis::{Cmd, cmd};

use super::{
    OWNED_TTL_MARGIN, RedisStore,
    binaries::field_and_value,
    keys::{self, Field},
    millis,
    script_reply::ScriptReply,
    scripts::{CLEAR, READ_ALL, WRITE, evalsha},
};
use crate::{
    model::{
        AllTexts, Binary, Changes, KeyName, ServiceId, StoreError, StoredKind, WriteResult,
        binaries,
    },
    store::StorageStore,
};

/// The maximum size of a reply over the multiplexed connection, where small requests wait for it.
const MAX_SHARED_REPLY_BYTES: usize = 1024 * 1024;

#[async_trait]
impl StorageStore for RedisStore {
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        // Most reads cost one field. Only if it is missing, a second command determines the reason; it
        // reads the field again, because it may have been written meanwhile.
        let service = self.keys.service(id);
        let mut get = cmd("HGET");
        get.arg(&service).arg(key.as_str());
        if let Some(text) = self.redis.query(&get).await? {
            return Ok(Some(StoredKind::Text(text)));
        }
        let mut reason = cmd("HMGET");
        reason.arg(service).arg(keys::DEFINITION);
        reason.arg(key.as_str()).arg(keys::binary_field(key));
        let found: (Option<()>, Option<String>, Option<()>) = self.redis.query(&reason).await?;
        Ok(match found {
            (None, _, _) => None,
            (Some(()), Some(text), _) => Some(StoredKind::Text(text)),
            (Some(()), None, Some(())) => Some(StoredKind::Binary),
            (Some(()), None, None) => Some(StoredKind::Empty),
        })
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        // A script copies each value twice and blocks Redis for 0.4 s at 60 MiB; HGETALL takes a sixth of
        // that. Callers pass a limit this large only after a call with a smaller limit returned the size.
        let is_large = max_bytes > MAX_SHARED_REPLY_BYTES;
        let reply: redis::Value = if is_large {
            let mut read = cmd("HGETALL");
            read.arg(self.keys.service(id));
            // Small requests must not wait for a large reply.
            self.redis.query_pooled(&read).await?
        } else {
            let mut read = evalsha(&READ_ALL, &[self.keys.service(id)]);
            read.arg(max_bytes);
            self.redis.query(&read).await?
        };
        if let redis::Value::Int(bytes) = reply {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            return Ok(Some(AllTexts::TooLarge { bytes }));
        }
        let fields: Result<Vec<(String, String)>, _> = redis::from_redis_value(reply);
        let mut fields = fields.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if fields.is_empty() {
            return Ok(None);
        }
        if is_large {
            // The service may have grown since its size was read.
            let bytes = fields
                .iter()
                .map(|(field, value)| field.len() + value.len());
            let bytes = bytes.sum();
            if bytes > max_bytes {
                return Ok(Some(AllTexts::TooLarge { bytes }));
            }
        }
        fields.retain(|(field, _)| matches!(Field::parse(field), Field::Text(_)));
        Ok(Some(AllTexts::Texts(fields)))
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError> {
        let has_binaries = binaries(&changes.set).next().is_some();
        let write = self.write_command(id, changes)?;
        let reply = if has_binaries {
            self.redis
                .with_cleanup_index(self.schedule_cleanup_soon(id)?, write)
                .await?
        } else {
            self.redis.query_replicated(&write).await?
        };
        match reply {
            ScriptReply::Done(replaced) => {
                self.expire_blobs(id, replaced).await;
                Ok(WriteResult::Stored)
            }
            ScriptReply::Refused(_) => Ok(WriteResult::ServiceNotFound),
            ScriptReply::UploadLost => Ok(WriteResult::UploadLost),
            ScriptReply::TooManyKeys => Ok(WriteResult::TooManyKeys),
            other => Err(other.unexpected()),
        }
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let clear = evalsha(&CLEAR, &[self.keys.service(id)]);
        match self.redis.query_replicated(&clear).await? {
            ScriptReply::Done(replaced) => {
                self.expire_blobs(id, replaced).await;
                Ok(Some(()))
            }
            ScriptReply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }
}

impl RedisStore {
    fn write_command(&self, id: &ServiceId, changes: Changes) -> Result<Cmd, StoreError> {
        let mut touched = Vec::with_capacity(changes.set.len() + changes.remove.len());
        let mut removed = Vec::with_capacity(changes.remove.len());
        let mut set = Vec::with_capacity(2 * changes.set.len());
        let binaries: Vec<Binary> = binaries(&changes.set).cloned().collect();
        for name in changes.remove {
            touched.push(keys::binary_field(&name));
            removed.push(name.into_string());
        }
        for (name, value) in changes.set {
            touched.push(keys::binary_field(&name));
            if value.binary().is_some() {
                removed.push(name.as_str().to_owned());
            }
            set.extend(<[String; 2]>::from(field_and_value(name, value)?));
        }
        // While a slot migrates, a script with a missing key is delayed, so `own` is passed only if it
        // is written.
        let mut keys = vec![self.keys.service(id)];
        if !binaries.is_empty() {
            keys.push(self.keys.owned(id));
        }
        let blobs = binaries.iter();
        keys.extend(blobs.map(|binary| self.keys.blob(id, &binary.blob)));
        let mut write = evalsha(&WRITE, &keys);
        write.arg(self.max_keys).arg(millis(OWNED_TTL_MARGIN));
        for list in [&touched, &removed, &set] {
            write.arg(list.len()).arg(list);
        }
        for binary in &binaries {
            write
                .arg(binary.chunks())
                .arg(keys::owned_blob_field(&binary.blob));
        }
        Ok(write)
    }
}
