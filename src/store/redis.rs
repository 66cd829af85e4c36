//! The store in Redis, which all replicas share.
//!
//! A service is one small hash that expires at the end of the service, so most operations are one
//! command or one script on one key: one round trip. All keys that change atomically share the hash tag
//! `{id}`. The keys are defined in `keys`, the connections in `connection`, the scripts in `scripts`.
//! The operations are in `services`, `storage`, `binaries`, `bookings` and `rate_limit`; `cleanup` and
//! `backend_session` run after a service has ended; `consistency_check` and `admin_queries` serve
//! operators.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use tokio::sync::Notify;

use self::{connection::Connections, keys::Keys};
use super::{Clock, Store};
use crate::{
    model::{
        AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner,
        BookingRequest, Call, Changes, ConsistencyReport, CreateResult, Description, Group,
        IdempotencyClaim, IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey,
        RateLimitState, RunningService, ServiceId, StoreError, StoredKind, Timestamp, Value,
        WriteResult, readiness::Finding,
    },
    settings,
};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod binaries;
mod bookings;
mod catalog;
mod checks;
mod cleanup;
mod connection;
mod consistency_check;
mod group_sync;
mod keys;
mod keyspace_notifications;
mod probe;
mod rate_limit;
mod replicas;
mod script_reply;
mod scripts;
mod services;
mod shared_metrics;
mod storage;

/// The time for which the keys of a service's resources outlive it, so that the cleanup finds them.
const OWNED_TTL_MARGIN: Duration = Duration::from_secs(3_600);
/// The maximum number of attempts of a change that conflicts with concurrent changes.
const MAX_ATTEMPTS: usize = 8;

/// The Redis store of one worker.
pub struct RedisStore {
    redis: Connections,
    keys: Keys,
    max_keys: usize,
    mode: settings::RedisMode,
    /// Whether changes wait for Redis replicas.
    waits_for_replicas: bool,
    /// Notified when the catalog may have changed, by the task that listens to Redis.
    catalog_changed: Notify,
}

impl RedisStore {
    /// Opens the connections to Redis on the current runtime. Returns when they are open or the first
    /// attempt has failed; afterwards lost connections are reestablished automatically.
    ///
    /// # Errors
    /// [`StoreError::Bug`] if the settings have no URL, or an invalid one.
    pub async fn open(settings: &settings::Redis, max_keys: usize) -> Result<Self, StoreError> {
        Ok(Self {
            redis: Connections::open(settings).await?,
            keys: Keys::new(&settings.prefix),
            max_keys,
            mode: settings.mode,
            waits_for_replicas: settings.wait_replicas > 0,
            catalog_changed: Notify::new(),
        })
    }
}

/// The binaries among `values`.
fn binaries_of(values: &[(KeyName, Value)]) -> Vec<Binary> {
    let binary = |(_, value): &(KeyName, Value)| match value {
        Value::Binary(binary) => Some(binary.clone()),
        Value::Text(_) => None,
    };
    values.iter().filter_map(binary).collect()
}

fn conflict(id: &ServiceId) -> StoreError {
    StoreError::Conflict(format!("service {}", id.redacted()))
}

/// Converts a duration to the milliseconds that scripts use.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of Redis, measured on existing connections.
impl Clock for RedisStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        self.redis.now()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        self.claim(key, id, end).await
    }

    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        self.create(service).await
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        self.redis.query(&get).await
    }

    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError> {
        self.running_service(id).await
    }

    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError> {
        self.attach_session(id, session).await
    }

    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        self.set_end(id, end, response).await
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        self.describe(id).await
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        self.read(id, key).await
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        self.read_all(id, max_bytes).await
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError> {
        self.write(id, changes).await
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        self.clear(id).await
    }

    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError> {
        self.set_end(id, end, None).await
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        self.delete(id).await
    }

    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        self.find_binary(id, key).await
    }

    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        self.read_chunk(id, blob, index).await
    }

    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.write_chunk(id, blob, index, chunk).await
    }

    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        self.discard(id, blobs).await
    }

    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        self.book_number(owner, group, request).await
    }

    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        self.release_pending_number(id, booking).await
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.release_number(id, booking).await
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        self.match_call(groups, call).await
    }

    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        self.rate_limit_take(key, max, window).await
    }

    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError> {
        self.rate_limit_refund(key).await
    }

    async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError> {
        self.check_consistency(groups).await
    }

    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        self.redis.check_health(&self.keys).await
    }
}
