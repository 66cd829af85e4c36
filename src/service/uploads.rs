//! Files on their way into a service: cut into chunks and stored as they arrive, seen by nobody until
//! the request they came with is complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use ring::digest::{Context, SHA256};
use tokio::runtime::Handle;
use tracing::debug;

use super::{ServiceError, idempotency::sha256_hex};
use crate::{
    memory_budget::{MemoryBudget, Reservation},
    store::{Binary, BlobId, CHUNK_BYTES, KeyName, ServiceId, Store, Value},
    telemetry::metrics::BINARY_BYTES_IN,
};

/// The files of one request. What was uploaded and not handed over to the store when this is
/// dropped is given up in the background, whatever ended the request; if the process ends, the store
/// lets it end by itself.
pub struct Uploads {
    store: Arc<dyn Store>,
    memory: MemoryBudget,
    id: ServiceId,
    must_exist: bool,
    pending: BTreeSet<BlobId>,
    transferred: BTreeSet<BlobId>,
    /// Of each file the SHA-256, where that is wanted.
    digests: Option<BTreeMap<BlobId, String>>,
}

impl Uploads {
    /// Uploads for a service about to be made.
    pub(super) fn for_new(store: Arc<dyn Store>, id: ServiceId, memory: MemoryBudget) -> Self {
        Self {
            store,
            memory,
            id,
            must_exist: false,
            pending: BTreeSet::new(),
            transferred: BTreeSet::new(),
            digests: None,
        }
    }

    /// Uploads for a service that must exist: the first one asks, so that nobody can fill the store
    /// under ids that name nothing.
    pub(super) fn for_existing(store: Arc<dyn Store>, id: ServiceId, memory: MemoryBudget) -> Self {
        let mut uploads = Self::for_new(store, id, memory);
        uploads.must_exist = true;
        uploads
    }

    /// The same, which computes the digests of files.
    pub(super) fn with_digests(mut self) -> Self {
        self.digests = Some(BTreeMap::new());
        self
    }

    /// The SHA-256 of a file, in hexadecimal digits.
    pub(super) fn digest_of(&self, blob: &BlobId) -> Option<&str> {
        let digests = self.digests.as_ref()?;
        digests.get(blob).map(String::as_str)
    }

    /// Begins a file.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] where the service must exist and does not.
    pub async fn begin(&mut self) -> Result<Upload<'_>, ServiceError> {
        if mem::take(&mut self.must_exist) && self.store.definition(&self.id).await?.is_none() {
            return Err(ServiceError::NoSuchService(self.id.clone()));
        }
        let blob = BlobId::generate();
        self.pending.insert(blob.clone());
        let digest = self.digests.is_some().then(|| Context::new(&SHA256));
        Ok(Upload {
            memory: self.memory.reservation(),
            digest,
            uploads: self,
            blob,
            buffer: Vec::new(),
            written: 0,
        })
    }

    /// Leaves to the store the files that `values` name, for what is about to be asked of it may make
    /// them part of the service without anybody hearing of it. The others were replaced by a later
    /// pair of the same name.
    pub(super) fn transfer_to_store(&mut self, values: &[(KeyName, Value)]) {
        self.transferred = values
            .iter()
            .filter_map(|(_, value)| match value {
                Value::Binary(binary) => Some(binary.blob.clone()),
                Value::Text(_) => None,
            })
            .collect();
        self.pending = &self.pending - &self.transferred;
    }

    /// Takes the files back: it is certain that the service has none of them.
    pub(super) fn reclaim(&mut self) {
        self.pending.append(&mut self.transferred);
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let (store, id) = (Arc::clone(&self.store), self.id.clone());
        let blobs: Vec<BlobId> = mem::take(&mut self.pending).into_iter().collect();
        // Outside a runtime the process is ending, and the store's own limit on uploads holds.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.discard(&id, &blobs).await {
                    debug!(id = %id.redacted(), %error, "given up uploads end by themselves");
                }
            });
        }
    }
}

/// One file on its way.
pub struct Upload<'a> {
    uploads: &'a mut Uploads,
    blob: BlobId,
    memory: Reservation,
    buffer: Vec<u8>,
    written: u64,
    digest: Option<Context>,
}

impl Upload<'_> {
    /// Bytes taken so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.written * CHUNK_BYTES as u64 + self.buffer.len() as u64
    }

    /// Takes the next bytes; returns when they are stored, but for less than a chunk.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]; what the store says.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), ServiceError> {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.memory
                .grow_buffer(&mut self.buffer, now.len(), CHUNK_BYTES)?;
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == CHUNK_BYTES {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    /// Ends the file and tells what is to be stored under its name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn finish(
        mut self,
        content_type: String,
        file_name: Option<String>,
    ) -> Result<Binary, ServiceError> {
        let size = self.size();
        if !self.buffer.is_empty() {
            self.write_chunk().await?;
        }
        if let (Some(digest), Some(digests)) = (&self.digest, &mut self.uploads.digests) {
            digests.insert(self.blob.clone(), sha256_hex(digest));
        }
        Ok(Binary {
            blob: self.blob,
            content_type,
            file_name,
            size,
        })
    }

    async fn write_chunk(&mut self) -> Result<(), ServiceError> {
        let Uploads { store, id, .. } = &*self.uploads;
        let stored = store.write_chunk(id, &self.blob, self.written, &self.buffer);
        stored.await?;
        BINARY_BYTES_IN.add(self.buffer.len() as u64);
        self.written += 1;
        self.buffer.clear();
        Ok(())
    }
}
