//! Storage of services and their data.
//!
//! [`Store`] is the interface between the program and its persistence layer. It has two implementations:
//! [`memory::MemoryStore`] for evaluation and [`redis::RedisStore`] for production. Both pass the same
//! tests (`tests/it/store.rs`); any difference in behavior is a bug.
//!
//! If there is no active service with the given id, an operation reports it in its result (`None`,
//! [`WriteResult::ServiceNotFound`]). [`StoreError`] means that the store could not perform the
//! operation.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{
    AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest,
    Call, Changes, ConsistencyReport, CreateResult, Description, Group, IdempotencyClaim,
    IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, RunningService,
    ServiceId, StoreError, StoredKind, Timestamp, WriteResult, readiness::Finding,
};

pub use self::{
    admin_queries::AdminQueries,
    admin_sessions::AdminSessions,
    audit_log::AuditLog,
    backend_session::BackendSessions,
    catalog::CatalogStore,
    clock::{Clock, WallClock},
    instrumented::InstrumentedStore,
    replicas::{REPLICA_TIMEOUT, Replicas},
};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod catalog;
mod clock;
mod instrumented;
pub mod memory;
pub mod redis;
mod replicas;

/// The TTL of unreferenced chunks after the last one.
const UPLOAD_TTL: Duration = Duration::from_secs(600);
/// The time for which a replaced binary remains readable, for downloads in progress.
const REPLACED_TTL: Duration = Duration::from_secs(60);

/// A store with the operations of the admin API.
pub trait AdminStore:
    Store + CatalogStore + AuditLog + Replicas + AdminQueries + AdminSessions
{
}

impl<S: Store + CatalogStore + AuditLog + Replicas + AdminQueries + AdminSessions> AdminStore
    for S
{
}

/// The operations that the Service API needs.
///
/// Each operation is atomic: other readers see all of its changes or none. Each completes within the
/// store's own timeouts. Operations are not retried. If a future is dropped, the operation has been
/// performed or not, never partially.
#[async_trait]
pub trait Store: Clock {
    /// Binds `key` to `id` until `end`, unless it is bound already, and returns how to proceed.
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError>;

    /// Creates a service with all its data, including binaries.
    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError>;

    /// Returns the name of the configured service of `id`; `None` if there is no such service.
    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError>;

    /// Returns the definition and the backend session of a service.
    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError>;

    /// Records the backend session of a service; the cleanup calls [`BackendSessions::terminate`] for it
    /// after the end of the service. Returns `None` and records nothing if there is no such service.
    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError>;

    /// Completes the create of a service that was created with a short TTL: sets its final `end` and, if
    /// it has an idempotency key, the value stored for repeated creates. Returns `None` if there is no
    /// such service.
    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError>;

    /// Returns the metadata of a service.
    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError>;

    /// Reads one string.
    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError>;

    /// Reads all strings, in no particular order.
    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError>;

    /// Applies all `changes` atomically. The expiration time does not change.
    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError>;

    /// Removes all keys of the storage. Returns `None` if there is no such service.
    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;

    /// Changes the expiration time of the service and of all its resources. Returns `None` if there is
    /// no such service.
    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError>;

    /// Deletes the service. No later operation finds it. Returns `None` if there is no such service.
    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError>;

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

    /// Stores a chunk of at most [`CHUNK_BYTES`](crate::model::CHUNK_BYTES). It is not visible until a create or write refers to
    /// the binary. Unreferenced chunks expire ten minutes after the last one.
    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError>;

    /// Deletes uploaded chunks that no create or write refers to.
    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError>;

    /// Books a number of `group` for a service. For [`BookingOwner::New`] the caller then creates the
    /// service with the booking in its [`NewService`], or [releases](Store::release_number) the booking.
    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError>;

    /// Releases the booking of a service whose create failed, unless a concurrent create with the same
    /// [`IdempotencyKey`] has created the service with it.
    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError>;

    /// Releases a booking. Idempotent.
    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError>;

    /// Finds the active service of a call by its newest matching booking in any of `groups`, and
    /// releases the number. If several calls match one booking, only one of them gets it.
    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError>;

    /// Increments the counter of `key`, unless it has reached `max`. A counter expires `window` after
    /// its first increment.
    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError>;

    /// Decrements a counter; does nothing if it has expired.
    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError>;

    /// Checks the bookings of `groups` for orphaned and lost numbers and for leftovers of ended
    /// services. Reads all bookings and changes nothing.
    async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError>;

    /// Checks whether the store serves requests, and returns the problems that it finds.
    async fn check_health(&self) -> Result<Vec<Finding>, StoreError>;
}
