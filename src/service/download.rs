//! Bytes of a binary on their way out, a chunk at a time.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{ServiceError, Services};
use crate::{
    store::{Binary, CHUNK_BYTES, KeyName, ServiceId, Store},
    telemetry::metrics::BINARY_BYTES_OUT,
};

/// Part of a binary: `first` is the number of its first byte, `length` how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Number of the first byte, from 0.
    pub first: u64,
    /// Number of bytes.
    pub length: u64,
}

/// A binary that was found.
pub struct Download {
    /// What it is.
    pub binary: Binary,
    id: ServiceId,
    store: Arc<dyn Store>,
}

impl Services {
    /// Finds the binary under `key`.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where no such service lives, [`ServiceError::NoSuchBinary`]
    /// where it holds none of that name.
    pub async fn find_binary(&self, id: ServiceId, key: String) -> Result<Download, ServiceError> {
        let Some(name) = KeyName::new(key.clone()) else {
            self.require_service(&id).await?;
            return Err(ServiceError::NoSuchBinary { id, key });
        };
        match self.store.find_binary(&id, &name).await? {
            None => Err(ServiceError::NoSuchService(id)),
            Some(None) => Err(ServiceError::NoSuchBinary { id, key }),
            Some(Some(binary)) => Ok(Download {
                binary,
                id,
                store: Arc::clone(&self.store),
            }),
        }
    }
}

impl Download {
    /// The bytes of `span`, which lies within the binary. A chunk is fetched when the one before it
    /// is taken, so no more than one is held. Where the bytes end early (the service ended meanwhile)
    /// the stream fails, so that nobody takes a part for the whole.
    pub fn bytes(self, span: ByteRange) -> impl Stream<Item = Result<Bytes, ServiceError>> {
        let end = span.first + span.length;
        stream::try_unfold((self, span.first), move |(download, at)| async move {
            if at >= end {
                return Ok(None);
            }
            let (chunk, skip) = (at / CHUNK_BYTES as u64, at % CHUNK_BYTES as u64);
            let Self { binary, id, store } = &download;
            let bytes = store.read_chunk(id, &binary.blob, chunk).await?;
            let bytes = bytes.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
            let length = (bytes.len() as u64).saturating_sub(skip).min(end - at);
            if length == 0 {
                return Err(ServiceError::NoSuchService(id.clone()));
            }
            BINARY_BYTES_OUT.add(length);
            // Both fit: they are at most the length of a chunk.
            #[expect(clippy::cast_possible_truncation, reason = "at most CHUNK_BYTES")]
            let part = bytes.slice(skip as usize..(skip + length) as usize);
            Ok(Some((part, (download, at + length))))
        })
    }
}
