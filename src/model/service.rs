//! Services and their data, as stores receive and return them.

use super::{
    Binary, Booking, IdempotencyKey, KeyName, Revision, Revisions, ServiceId, Timestamp,
    WriteCondition, webhook::Subscription,
};

/// The name that storage areas have in place of a configured service. No configured service can have it.
pub const STORAGE_AREA: &str = "_storage";

/// A complete service or storage area to be created.
#[derive(Debug)]
pub struct NewService {
    /// The id, from [`ServiceId::generate`], [`ServiceId::generate_for_storage_area`], [`ServiceId::custom`] or
    /// [`IdempotencyClaim::Create`].
    pub id: ServiceId,
    /// The name of its configured service, or [`STORAGE_AREA`].
    pub definition: String,
    /// The time of the create request.
    pub created: Timestamp,
    /// The expiration time of the service and of all its resources.
    pub end: Timestamp,
    /// The `gms_user` header of the request.
    pub gms_user: Option<String>,
    /// The user data. Names are unique.
    pub data: Vec<(KeyName, Value)>,
    /// The booking of its access number, if any.
    pub booking: Option<Booking>,
    /// If the create has an idempotency key: the key, and the value that is stored for repeated creates:
    /// the digest of the request and, if known, the response. Finishing the create replaces the value.
    pub idempotency: Option<(IdempotencyKey, String)>,
    /// What the webhook of its configured service subscribes to, if it has one.
    pub webhook: Option<Subscription>,
    /// Whether the create is to be finished. Until then the service has no events.
    pub is_pending: bool,
}

/// What a read of a whole storage returns.
#[derive(Debug, Default)]
pub struct ReadAll {
    /// The maximum number of bytes of names and values.
    pub max_bytes: usize,
    /// The revisions whose contents the reader has already.
    pub known: Revisions,
    /// Whether the descriptors of binaries are returned.
    pub with_binaries: bool,
}

impl ReadAll {
    /// All strings, up to this size.
    #[must_use]
    pub fn strings(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            ..Self::default()
        }
    }
}

/// The result of a read of a whole storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageRead {
    /// Its keys.
    Contents(StorageContents),
    /// The reader knows this revision, which is the current one.
    Known(Revision),
    /// The contents are larger than the limit.
    TooLarge {
        /// A lower bound of the total bytes of names and values.
        bytes: usize,
    },
}

/// The keys of a storage at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageContents {
    /// The revision.
    pub revision: Revision,
    /// The names and values of all strings, in no particular order.
    pub texts: Vec<(String, String)>,
    /// The names and descriptors of all binaries, if [`ReadAll::with_binaries`] is set.
    pub binaries: Vec<(String, Binary)>,
}

/// The value of a key in a service's storage: a string or a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A binary whose bytes have been uploaded.
    Binary(Binary),
}

impl Value {
    /// The binary, if the value is one.
    #[must_use]
    pub fn binary(&self) -> Option<&Binary> {
        match self {
            Self::Binary(binary) => Some(binary),
            Self::Text(_) => None,
        }
    }
}

/// The binaries among `values`.
pub fn binaries(values: &[(KeyName, Value)]) -> impl Iterator<Item = &Binary> {
    values.iter().filter_map(|(_, value)| value.binary())
}

/// Changes to a service's storage that become visible atomically. Each name occurs at most once in both
/// lists.
#[derive(Debug, Default)]
pub struct Changes {
    /// The keys to set.
    pub set: Vec<(KeyName, Value)>,
    /// The keys to remove. Missing keys are ignored.
    pub remove: Vec<KeyName>,
    /// The condition under which they are made.
    pub condition: WriteCondition,
}

/// The result of claiming an [`IdempotencyKey`].
#[derive(Debug, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// Create a service with this id: the key is new, or an earlier request with the key has not
    /// completed. That request may never complete; this one then finishes its work.
    Create(ServiceId),
    /// The service exists.
    Replayed {
        /// Its id.
        id: ServiceId,
        /// The value of [`NewService::idempotency`], or the one that replaced it when the create finished.
        stored: String,
    },
}

/// The result of a create.
#[derive(Debug, PartialEq, Eq)]
pub enum CreateResult {
    /// The service exists.
    Created,
    /// A request with the same [`IdempotencyKey`] completed first; this is its stored value, as in
    /// [`IdempotencyClaim::Replayed`]. Nothing changed.
    Replayed(String),
    /// There is a service with this id, which was not created with an [`IdempotencyKey`]. Nothing changed. For a custom
    /// id this is [`NewService::data`].
    IdInUse(Vec<(KeyName, Value)>),
    /// Uploaded chunks are no longer stored: the upload took too long, or the store lost them. Nothing
    /// changed.
    UploadLost,
}

/// The result of a change of a storage.
#[derive(Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// All changes are visible, at this revision. It is the previous one if no key was set or removed.
    Stored(Revision),
    /// The [`WriteCondition`] is not met at this revision. Nothing changed.
    ConditionFailed(Revision),
    /// There is no active service with this id. Nothing changed.
    ServiceNotFound,
    /// The service would have more keys than allowed. Nothing changed.
    TooManyKeys,
    /// See [`CreateResult::UploadLost`].
    UploadLost,
}

/// The value of a key for a reader of strings.
#[derive(Debug, PartialEq, Eq)]
pub enum StoredKind {
    /// A string.
    Text(String),
    /// A binary.
    Binary,
    /// No value.
    Empty,
}

/// The metadata of a service, without its values.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// The name of its configured service.
    pub definition: String,
    /// The creation time.
    pub created: Timestamp,
    /// The expiration time.
    pub end: Timestamp,
    /// The `gms_user` header of the create request.
    pub gms_user: Option<String>,
    /// The names of its strings.
    pub keys: Vec<String>,
    /// The names and descriptors of its binaries.
    pub binaries: Vec<(String, Binary)>,
}
