//! The chunks of binaries.

use std::time::Duration;

use bytes::Bytes;

use super::{State, expiry_queue::Expiry};
use crate::{
    model::{Binary, BlobId, StoreError},
    store::UPLOAD_TTL,
};

impl State {
    pub(in crate::store::memory) fn read_chunk(&self, blob: &BlobId, index: u64) -> Option<Bytes> {
        let index = usize::try_from(index).ok()?;
        self.blobs.get(blob)?.chunks.get(index).cloned()
    }

    pub(in crate::store::memory) fn is_uploaded(&self, binary: &Binary) -> bool {
        let stored = self
            .blobs
            .get(&binary.blob)
            .map_or(0, |blob| blob.chunks.len());
        stored as u64 == binary.chunks()
    }

    pub(in crate::store::memory) fn write_chunk(
        &mut self,
        id: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.check_room(chunk.len())?;
        let blob = self.blobs.entry(id.clone()).or_default();
        if blob.chunks.len() as u64 != index {
            return Err(StoreError::Bug(format!("chunk {index} is out of order")));
        }
        blob.chunks.push(Bytes::copy_from_slice(chunk));
        self.used_bytes += chunk.len();
        self.expire_blob_in(id, UPLOAD_TTL);
        Ok(())
    }

    pub(super) fn expire_blob_in(&mut self, id: &BlobId, ttl: Duration) {
        let Some(previous) = self.blobs.get_mut(id).map(|blob| blob.expiry_key.take()) else {
            return;
        };
        self.expiries.cancel(previous);
        let expiry_key = self
            .expiries
            .schedule(self.clock.now().after(ttl), Expiry::Blob(id.clone()));
        if let Some(blob) = self.blobs.get_mut(id) {
            blob.expiry_key = Some(expiry_key);
        }
    }

    pub(in crate::store::memory) fn drop_blob(&mut self, id: &BlobId) {
        if let Some(blob) = self.blobs.remove(id) {
            self.expiries.cancel(blob.expiry_key);
            self.used_bytes -= blob.chunks.iter().map(Bytes::len).sum::<usize>();
        }
    }
}
