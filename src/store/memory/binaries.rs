//! Binaries in the embedded store.

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryStore;
use crate::{
    model::{Binary, BlobId, KeyName, ServiceId, StoreError, Value},
    store::BinaryStore,
};

#[async_trait]
impl BinaryStore for MemoryStore {
    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| match record.get(key) {
                Some(Value::Binary(binary)) => Some(binary.clone()),
                Some(Value::Text(_)) | None => None,
            }))
    }

    async fn read_chunk(
        &self,
        _id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().read_chunk(blob, index))
    }

    async fn write_chunk(
        &self,
        _id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.state().write_chunk(blob, index, chunk)
    }

    async fn discard(&self, _id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        let mut state = self.state();
        for blob in blobs {
            state.drop_blob(blob);
        }
        Ok(())
    }
}
