//! Binaries: uploads and downloads in chunks.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{Binary, BlobId, KeyName, ServiceId, StoreError};

/// The TTL of unreferenced chunks after the last one.
pub(in crate::store) const UPLOAD_TTL: Duration = Duration::from_secs(600);
/// The time for which a replaced binary remains readable, for downloads in progress.
pub(in crate::store) const REPLACED_TTL: Duration = Duration::from_secs(60);

/// The store of binaries.
#[async_trait]
pub trait BinaryStore: Send + Sync {
    /// Finds a binary. The outer `None` means that there is no such service, the inner `None` that the
    /// key has no binary.
    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError>;

    /// Reads chunk `index` of a binary; `None` if it is no longer stored. A replaced binary remains
    /// readable for a minute, so that downloads in progress complete.
    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Stores a chunk of at most [`CHUNK_BYTES`](crate::model::CHUNK_BYTES). It is not visible until a
    /// create or write refers to the binary. Unreferenced chunks expire ten minutes after the last one.
    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError>;

    /// Deletes uploaded chunks that no create or write refers to.
    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError>;
}
