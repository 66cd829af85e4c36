//! Where services and their data live.
//!
//! [`Store`] is the one seam between the program and what keeps its state: [`memory::MemoryStore`]
//! for trying out, [`redis::RedisStore`] for everything else. Both pass the same suite
//! (`tests/it/store.rs`); what differs between them is a bug in one of them.
//!
//! A verb that finds no live service says so in its result (`None`, [`Written::ServiceNotFound`]);
//! [`StoreError`] is only for a store that cannot do its work.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::readiness::Finding;

use self::binary::{REPLACED_TTL, UPLOAD_TTL};
pub use self::{
    admin_queries::{AdminQueries, Cursor, ListedBooking, ListedService, Page, Preview},
    admin_sessions::AdminSessions,
    audit_log::{AuditEvent, AuditLog},
    backend_session::{BackendSession, BackendSessions, RunningService, TerminateResult},
    binary::{Binary, BlobId, CHUNK_BYTES},
    booking::{
        AccessNumber, AllocationStrategy, BookResult, Booking, BookingId, BookingOwner,
        BookingRequest, Call, Codes, Group, Groups, MatchResult, PoolUsage,
    },
    catalog::{
        CatalogChange, CatalogChangeResult, CatalogStep, CatalogStore, EntryName, RetiredEntry,
        StoredCatalog, StoredEntry, Table,
    },
    check::{CheckResult, CheckRow, StoreReport},
    clock::{Clock, WallClock},
    consistency_check::{BookedNumber, ConsistencyReport},
    error::StoreError,
    hash::stable_hash,
    ids::{IdempotencyKey, KeyName, MAX_KEY_NAME_BYTES, RedactedId, ServiceId},
    instrumented::InstrumentedStore,
    rate_limit::{RateLimitKey, RateLimitState},
    replicas::{REPLICA_TIMEOUT, Replicas},
    timestamp::Timestamp,
};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod binary;
mod booking;
mod catalog;
mod check;
mod clock;
mod consistency_check;
mod error;
mod hash;
mod ids;
mod instrumented;
pub mod memory;
mod rate_limit;
pub mod redis;
mod replicas;
mod timestamp;

/// A service about to be made, whole: what is not in here is not in the service.
#[derive(Debug)]
pub struct NewService {
    /// Its id, from [`ServiceId::fresh`] or from [`IdempotencyClaim::Create`].
    pub id: ServiceId,
    /// Name of the configured service it was made from.
    pub definition: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ends, with all that belongs to it.
    pub end: Timestamp,
    /// The `gms_user` header of the request.
    pub gms_user: Option<String>,
    /// User data, each name once.
    pub data: Vec<(KeyName, Value)>,
    /// The number that was booked for it.
    pub booking: Option<Booking>,
    /// Where the client may repeat the request: its key, and the answer that a repeat gets, if that is
    /// known yet; else [`Store::settle`] tells it.
    pub idempotency: Option<(IdempotencyKey, Option<String>)>,
}

/// All strings of a service, or how much they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllTexts {
    /// Names and values.
    Texts(Vec<(String, String)>),
    /// They have more bytes than asked for.
    TooLarge {
        /// Bytes of names and values, at least.
        bytes: usize,
    },
}

/// What a name holds in a service's storage. A name is one slot: text or binary, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string key.
    Text(String),
    /// A binary key whose bytes were uploaded before.
    Binary(Binary),
}

/// Changes to a service's storage that become visible together. Each name occurs once in all.
#[derive(Debug, Default)]
pub struct Changes {
    /// Names that hold these values afterwards.
    pub set: Vec<(KeyName, Value)>,
    /// Names that hold nothing afterwards; that they hold nothing before is no error.
    pub remove: Vec<KeyName>,
}

/// What became of a claim on an [`IdempotencyKey`].
#[derive(Debug, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// Go on and create a service with this id: the key is new, or whoever came first has not got
    /// so far (it may never: then this request finishes what that one began).
    Create(ServiceId),
    /// The service stands; this is the answer its creator got.
    Replayed(String),
}

/// What became of a create.
#[derive(Debug, PartialEq, Eq)]
pub enum CreateResult {
    /// The service stands.
    Created,
    /// A request with the same [`IdempotencyKey`] was faster; this is its answer. Nothing changed.
    Replayed(String),
    /// Such a request was faster, and has not got its answer yet. Nothing changed.
    InProgress,
    /// Uploaded bytes are no longer there (the upload took too long, or the store gave them up).
    /// Nothing changed.
    UploadLost,
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum WriteResult {
    /// All of it is visible.
    Stored,
    /// There is no live service of that id. Nothing changed.
    ServiceNotFound,
    /// The service would hold more keys than allowed. Nothing changed.
    TooManyKeys,
    /// As [`CreateResult::UploadLost`].
    UploadLost,
}

/// What a name holds, as far as a reader of strings is concerned.
#[derive(Debug, PartialEq, Eq)]
pub enum StoredKind {
    /// This string.
    Text(String),
    /// A binary, to be read as such.
    Binary,
    /// Nothing.
    Empty,
}

/// A service told without its values.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// Name of the configured service it was made from.
    pub definition: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The `gms_user` header of the request that made it.
    pub gms_user: Option<String>,
    /// Names that hold a string.
    pub keys: Vec<String>,
    /// Names that hold a binary, and which.
    pub binaries: Vec<(String, Binary)>,
}

/// A store with all that operators ask of it, too.
pub trait AdminStore:
    Store + CatalogStore + AuditLog + Replicas + AdminQueries + AdminSessions
{
}

impl<S: Store + CatalogStore + AuditLog + Replicas + AdminQueries + AdminSessions> AdminStore
    for S
{
}

/// The verbs this program needs of a store.
///
/// Each is atomic: another reader sees all of it or nothing. Each answers within the store's own
/// timeouts. None is retried inside. A dropped future leaves the verb done or not done, never half.
#[async_trait]
pub trait Store: Clock {
    /// Binds `key` to `id` until `end` unless it is bound already, and tells what to do.
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError>;

    /// Makes a service with all its data, binaries included.
    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError>;

    /// Name of the configured service that `id` was made from; `None` where no such service lives.
    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError>;

    /// What a request to a service that may run on a backend needs to know.
    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError>;

    /// Notes that a service runs on a backend; [`BackendSessions::end`] is called for that after its end.
    /// `None` where no such service lives: then nothing is noted.
    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError>;

    /// Ends the making of a service that was made with a short life: gives it its own `end`, and, if
    /// it is repeatable, the answer that a repeat gets. `None` where no such service lives.
    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError>;

    /// Tells a service without its values.
    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError>;

    /// Reads one string.
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError>;

    /// Reads all strings, in no order that means anything.
    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError>;

    /// Makes all `changes` visible at once. The service's life is what it was.
    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError>;

    /// Empties the storage. `None` where no such service lives.
    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;

    /// Moves the end of the service and of all that belongs to it. `None` where no such service
    /// lives.
    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError>;

    /// Ends the service: from here on no verb finds it. `None` where no such service lives.
    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;

    /// Finds a binary: outer `None` without a live service, inner `None` where the name holds none.
    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError>;

    /// Reads chunk number `index` of a binary; `None` when its bytes are gone. A binary that was
    /// replaced stays readable for a minute, so that a download under way arrives whole.
    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Stores a chunk of at most [`CHUNK_BYTES`] that nobody sees until a create or write names the
    /// binary. Chunks that are never named end by themselves minutes after the last one.
    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError>;

    /// Gives up uploaded chunks that no create or write has named.
    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError>;

    /// Holds a number of `group` for a service. One that is about to be made is made next, with the
    /// booking in its [`NewService`], or the booking is [given back](Store::release).
    async fn book_number(
        &self,
        holder: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError>;

    /// Gives a booking back. Done twice it does nothing the second time.
    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError>;

    /// Finds the living service that a call is for, by its newest booking in any of `groups` that
    /// fits, and gives the number back. Of several calls that fit one booking, one gets it.
    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError>;

    /// Counts one more of `tally`, unless `most` are counted already: then nothing changes. A count lasts
    /// `window` from its first one on, then it is forgotten.
    async fn rate_limit_take(
        &self,
        tally: &RateLimitKey,
        most: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError>;

    /// Takes one back of what was counted; where the count has ended, nothing happens.
    async fn rate_limit_refund(&self, tally: &RateLimitKey) -> Result<(), StoreError>;

    /// Looks through the books of `groups`: what is held by whom, and what by nobody. Reads all there
    /// is and changes nothing.
    async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError>;

    /// Checks whether the store serves requests, and finds what keeps it from doing so as it should.
    async fn check_health(&self) -> Result<Vec<Finding>, StoreError>;
}
