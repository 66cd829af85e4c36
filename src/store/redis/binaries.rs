//! Bytes of binaries: chunks in `blob:{id}:<blob>`, over the pool, so that no small request waits
//! behind a big one.

use bytes::Bytes;
use tracing::warn;

use super::{
    RedisStore, keys, millis,
    scripts::{EXPIRE_BLOBS, WRITE_CHUNK, evalsha},
};
use crate::store::{
    Binary, BlobId, KeyName, REPLACED_TTL, ServiceId, StoreError, UPLOAD_TTL, Value,
};

impl RedisStore {
    pub(super) async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut get = redis::cmd("HGET");
        get.arg(self.keys.blob(id, blob)).arg(index);
        let chunk: Option<Vec<u8>> = self.redis.query_pooled(&get).await?;
        Ok(chunk.map(Bytes::from))
    }

    /// Chunk and life in one script: a process that dies here leaves nothing that stays.
    pub(super) async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        let mut put = evalsha(&WRITE_CHUNK, &[self.keys.blob(id, blob)]);
        put.arg(index).arg(chunk).arg(UPLOAD_TTL.as_secs());
        self.redis.query_pooled(&put).await
    }

    pub(super) async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(()); // UNLINK wants a key
        }
        let keys: Vec<String> = blobs.iter().map(|blob| self.keys.blob(id, blob)).collect();
        self.redis.query(redis::cmd("UNLINK").arg(keys)).await
    }

    /// Gives the binaries behind `descriptors` a short life. They are no longer named, so what fails
    /// here costs memory until the service ends and nothing else.
    pub(super) async fn expire_blobs(&self, id: &ServiceId, descriptors: Vec<String>) {
        let blobs = descriptors
            .iter()
            .filter_map(|text| parse_descriptor(text).ok());
        let blobs: Vec<BlobId> = blobs.map(|binary| binary.blob).collect();
        if blobs.is_empty() {
            return;
        }
        let mut keys = vec![self.keys.owned(id)];
        keys.extend(blobs.iter().map(|blob| self.keys.blob(id, blob)));
        let mut retire = evalsha(&EXPIRE_BLOBS, &keys);
        retire.arg(millis(REPLACED_TTL));
        for blob in &blobs {
            retire.arg(keys::owned_blob_field(blob));
        }
        if let Err(error) = self.redis.query::<()>(&retire).await {
            warn!(id = %id.redacted(), %error, "binaries that were replaced stay until their service ends");
        }
    }
}

/// Reads a descriptor back.
pub(super) fn parse_descriptor(text: &str) -> Result<Binary, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("a binary: {error}")))
}

/// The field and value that `svc:{id}` has for a key.
pub(super) fn field_and_value(name: KeyName, value: Value) -> Result<(String, String), StoreError> {
    match value {
        Value::Text(text) => Ok((name.into_string(), text)),
        Value::Binary(binary) => {
            let text = serde_json::to_string(&binary)
                .map_err(|error| StoreError::Bug(error.to_string()))?;
            Ok((keys::binary_field(&name), text))
        }
    }
}
