//! Uploads of files: split into chunks and stored as they arrive, invisible until the request is complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::IpAddr,
    sync::Arc,
};

use ring::digest::{Context, SHA256};
use tokio::runtime::Handle;
use tracing::debug;

use super::{
    ServiceContext, ServiceError, digest::sha256_hex, rate_limit::limit_creates_of_storage_areas,
    storage_address::StorageAddress,
};
use crate::{
    memory_budget::Reservation,
    model::{Binary, BlobId, CHUNK_BYTES, KeyName, ServiceId, Value, binaries},
};

/// What the files of a request are for.
enum UploadTarget {
    /// A service or storage area that exists or is about to be created.
    Known(ServiceId),
    /// A service, if it exists.
    Existing(ServiceId),
    /// The storage that an id in the path of a request of this client means.
    Storage(StorageAddress, Option<IpAddr>),
}

/// The files of one request. Files that are not transferred to the store when this is dropped are discarded in the
/// background. If the process ends before that, they expire in the store.
pub struct Uploads {
    context: Arc<ServiceContext>,
    target: UploadTarget,
    pending: BTreeSet<BlobId>,
    transferred: BTreeSet<BlobId>,
    /// The SHA-256 of each file, if enabled.
    digests: Option<BTreeMap<BlobId, String>>,
    is_counted_as_create: bool,
}

impl Uploads {
    fn new(context: Arc<ServiceContext>, target: UploadTarget) -> Self {
        Self {
            context,
            target,
            pending: BTreeSet::new(),
            transferred: BTreeSet::new(),
            digests: None,
            is_counted_as_create: false,
        }
    }

    /// Uploads for a new service.
    pub(super) fn for_new(context: Arc<ServiceContext>, id: ServiceId) -> Self {
        Self::new(context, UploadTarget::Known(id))
    }

    /// Uploads for an existing service. The first upload checks that it exists, so that clients cannot fill the store
    /// under unknown ids.
    pub(super) fn for_existing(context: Arc<ServiceContext>, id: ServiceId) -> Self {
        Self::new(context, UploadTarget::Existing(id))
    }

    /// Uploads for the storage that `address` means. The first upload finds it. If there is none and the request
    /// creates it, that counts as a create by the client `client`.
    pub(super) fn for_storage(
        context: Arc<ServiceContext>,
        address: StorageAddress,
        client: Option<IpAddr>,
    ) -> Self {
        Self::new(context, UploadTarget::Storage(address, client))
    }

    /// Whether the rate limits of creates have counted the request.
    pub(super) fn is_counted_as_create(&self) -> bool {
        self.is_counted_as_create
    }

    /// The service or storage area that the files are for, once it is known.
    pub(super) fn target(&self) -> Option<&ServiceId> {
        match &self.target {
            UploadTarget::Known(id) => Some(id),
            UploadTarget::Existing(_) | UploadTarget::Storage(..) => None,
        }
    }

    /// Enables the digests of files.
    pub(super) fn with_digests(mut self) -> Self {
        self.digests = Some(BTreeMap::new());
        self
    }

    /// The SHA-256 of a file, in hexadecimal digits.
    pub(super) fn digest_of(&self, blob: &BlobId) -> Option<&str> {
        let digests = self.digests.as_ref()?;
        digests.get(blob).map(String::as_str)
    }

    /// Begins the upload of a file.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchService`] or [`ServiceError::NoSuchStorage`] if there is nothing that the file can be for.
    pub async fn begin(&mut self) -> Result<Upload<'_>, ServiceError> {
        let id = match &self.target {
            UploadTarget::Known(id) => id.clone(),
            UploadTarget::Existing(id) => {
                let definition = self.context.store.definition(id).await?;
                definition.ok_or_else(|| ServiceError::NoSuchService(id.clone()))?;
                id.clone()
            }
            UploadTarget::Storage(address, client) => {
                let (store, rate_limit) = (&*self.context.store, &self.context.rate_limit);
                let (id, is_new) = address.clone().resolve(store).await?;
                if is_new && !self.is_counted_as_create {
                    limit_creates_of_storage_areas(store, rate_limit, *client).await?;
                    self.is_counted_as_create = true;
                }
                id
            }
        };
        self.target = UploadTarget::Known(id.clone());
        let blob = BlobId::generate();
        self.pending.insert(blob.clone());
        let digest = self.digests.is_some().then(|| Context::new(&SHA256));
        Ok(Upload {
            memory: self.context.memory.requests.reservation(),
            digest,
            uploads: self,
            id,
            blob,
            buffer: Vec::new(),
            written: 0,
        })
    }

    /// Transfers the files in `values` to the store, because the next store operation can add them to the service
    /// even if it returns an error. Other files were replaced by a later field of the same name and stay pending.
    pub(super) fn transfer_to_store(&mut self, values: &[(KeyName, Value)]) {
        self.transferred = binaries(values).map(|binary| binary.blob.clone()).collect();
        self.pending = &self.pending - &self.transferred;
    }

    /// Makes transferred files pending again, if the service certainly has none of them.
    pub(super) fn reclaim(&mut self) {
        self.pending.append(&mut self.transferred);
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        // There are no pending files before the target is known.
        let Some(id) = self.target().cloned() else {
            return;
        };
        let context = Arc::clone(&self.context);
        let blobs: Vec<BlobId> = mem::take(&mut self.pending).into_iter().collect();
        // Without a runtime the process is ending, and the uploads expire in the store.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = context.store.discard(&id, &blobs).await {
                    debug!(id = %id.redacted(), %error, "discarded uploads not deleted; they expire");
                }
            });
        }
    }
}

/// The upload of one file.
pub struct Upload<'a> {
    uploads: &'a mut Uploads,
    id: ServiceId,
    blob: BlobId,
    memory: Reservation,
    buffer: Vec<u8>,
    written: u64,
    digest: Option<Context>,
}

impl Upload<'_> {
    /// The number of bytes received so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.written * CHUNK_BYTES as u64 + self.buffer.len() as u64
    }

    /// Adds bytes. Returns after they are stored, except for an incomplete chunk.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`], errors of the store.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), ServiceError> {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        while !bytes.is_empty() {
            let capacity = CHUNK_BYTES - self.buffer.len();
            let (current, remaining) = bytes.split_at(capacity.min(bytes.len()));
            self.memory
                .grow_buffer(&mut self.buffer, current.len(), CHUNK_BYTES)?;
            self.buffer.extend_from_slice(current);
            bytes = remaining;
            if self.buffer.len() == CHUNK_BYTES {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    /// Completes the file and returns its metadata.
    ///
    /// # Errors
    /// Errors of the store.
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
        let context = &self.uploads.context;
        let stored = context
            .store
            .write_chunk(&self.id, &self.blob, self.written, &self.buffer);
        stored.await?;
        let written = self.buffer.len() as u64;
        context.binaries.bytes_in.inc_by(written);
        self.written += 1;
        self.buffer.clear();
        Ok(())
    }
}
