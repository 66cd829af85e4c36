//! The contents of binaries: chunks in `blob:{id}:<blob>`, transferred over pooled connections, so that
//! small requests do not wait for large ones.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use tracing::warn;

use super::{
    RedisStore, keys, millis,
    scripts::{EXPIRE_BLOBS, WRITE_CHUNK, evalsha},
};
use crate::{
    model::{Binary, BlobId, KeyName, ServiceId, StoreError, Value},
    store::{BinaryStore, REPLACED_TTL, UPLOAD_TTL},
};

#[async_trait]
impl BinaryStore for RedisStore {
    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::binary_field(key));
        let (exists, text): (Option<()>, Option<String>) = self.redis.query(&get).await?;
        let binary = text.map(|text| parse_descriptor(&text)).transpose()?;
        Ok(exists.map(|()| binary))
    }

    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.blob(id, blob)).arg(index);
        let chunk: Option<Vec<u8>> = self.redis.query_pooled(&get).await?;
        Ok(chunk.map(Bytes::from))
    }

    /// Stores the chunk and sets its TTL in one script, so that a crash leaves no key without a TTL.
    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        let mut write = evalsha(&WRITE_CHUNK, &[self.keys.blob(id, blob)]);
        write.arg(index).arg(chunk).arg(UPLOAD_TTL.as_secs());
        self.redis.query_pooled(&write).await
    }

    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(()); // UNLINK requires a key
        }
        let keys: Vec<String> = blobs.iter().map(|blob| self.keys.blob(id, blob)).collect();
        self.redis.query(cmd("UNLINK").arg(keys)).await
    }
}

impl RedisStore {
    /// Sets a short TTL on the binaries of `descriptors`; see [`RedisStore::expire_blobs`].
    pub(super) async fn expire_replaced(&self, id: &ServiceId, descriptors: Vec<String>) {
        let binaries = descriptors
            .iter()
            .filter_map(|text| parse_descriptor(text).ok());
        let blobs: Vec<BlobId> = binaries.map(|binary| binary.blob).collect();
        self.expire_blobs(id, &blobs).await;
    }

    /// Sets a short TTL on `blobs`. They are no longer referenced, so a failure only costs memory until the service
    /// ends.
    pub(super) async fn expire_blobs(&self, id: &ServiceId, blobs: &[BlobId]) {
        if blobs.is_empty() {
            return;
        }
        let mut keys = vec![self.keys.owned(id)];
        keys.extend(blobs.iter().map(|blob| self.keys.blob(id, blob)));
        let mut expire = evalsha(&EXPIRE_BLOBS, &keys);
        expire.arg(millis(REPLACED_TTL));
        for blob in blobs {
            expire.arg(keys::owned_blob_field(blob));
        }
        if let Err(error) = self.redis.query::<()>(&expire).await {
            warn!(id = %id.redacted(), %error, "replaced binaries not expired");
        }
    }
}

/// Parses a descriptor.
pub(super) fn parse_descriptor(text: &str) -> Result<Binary, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("binary descriptor: {error}")))
}

/// The field and value of a key in `svc:{id}`.
pub(super) fn field_and_value<'a>(
    name: &'a KeyName,
    value: &'a Value,
) -> Result<[Cow<'a, str>; 2], StoreError> {
    match value {
        Value::Text(text) => Ok([name.as_str().into(), text.into()]),
        Value::Binary(binary) => {
            let text = serde_json::to_string(binary)
                .map_err(|error| StoreError::Bug(error.to_string()))?;
            Ok([keys::binary_field(name).into(), text.into()])
        }
    }
}
