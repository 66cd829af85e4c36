//! Downloads of binaries, chunk by chunk.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{ServiceContext, ServiceError, Services};
use crate::model::{Binary, CHUNK_BYTES, KeyName, ServiceId};

/// A range of bytes of a binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub first: u64,
    /// The number of bytes.
    pub length: u64,
}

/// A binary to download.
pub struct Download {
    /// The metadata of the binary.
    pub binary: Binary,
    id: ServiceId,
    context: Arc<ServiceContext>,
}

impl Services {
    /// Finds the binary under `key`.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] if there is no active service with this id, [`ServiceError::NoSuchBinary`]
    /// if it has no binary of this name.
    pub async fn find_binary(&self, id: ServiceId, key: String) -> Result<Download, ServiceError> {
        let Some(name) = KeyName::new(key.clone()) else {
            self.require_service(&id).await?;
            return Err(ServiceError::NoSuchBinary { id, key });
        };
        match self.context.store.find_binary(&id, &name).await? {
            None => Err(ServiceError::NoSuchService(id)),
            Some(None) => Err(ServiceError::NoSuchBinary { id, key }),
            Some(Some(binary)) => Ok(Download {
                binary,
                id,
                context: Arc::clone(&self.context),
            }),
        }
    }
}

impl Download {
    /// Streams the bytes of `range`, which must be within the binary. A chunk is read when the previous one is
    /// consumed, so at most one is in memory. If the data ends early because the service has ended, the stream fails,
    /// so that the client detects the truncation.
    pub fn bytes(self, range: ByteRange) -> impl Stream<Item = Result<Bytes, ServiceError>> {
        let end = range.first + range.length;
        stream::try_unfold((self, range.first), move |(download, offset)| async move {
            if offset >= end {
                return Ok(None);
            }
            let (chunk, skip) = (offset / CHUNK_BYTES as u64, offset % CHUNK_BYTES as u64);
            let Self {
                binary,
                id,
                context,
            } = &download;
            let bytes = context.store.read_chunk(id, &binary.blob, chunk).await?;
            let bytes = bytes.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
            let length = (bytes.len() as u64).saturating_sub(skip).min(end - offset);
            if length == 0 {
                return Err(ServiceError::NoSuchService(id.clone()));
            }
            context.binaries.bytes_out.inc_by(length);
            // Both are at most CHUNK_BYTES.
            #[expect(clippy::cast_possible_truncation, reason = "at most CHUNK_BYTES")]
            let part = bytes.slice(skip as usize..(skip + length) as usize);
            Ok(Some((part, (download, offset + length))))
        })
    }
}
