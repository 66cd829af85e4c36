//! Redis, so that any replica serves any request.
//!
//! A service is one small hash whose expiry is its end, so most verbs are one command or one script
//! on one key: one round trip. Everything that must change together shares the hash tag `{id}`.
//! `keys` tells what is stored, `connection` how Redis is reached, `scripts` what is atomic; the verbs
//! are in `services`, `storage`, `binaries`, `bookings` and `tallies`; `cleanup` and `sessions` are what happens
//! after a service has ended, `audit` what an operator may look at.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;
use tokio::sync::Notify;

use self::{connection::Connections, keys::Keys};
use super::{
    AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest,
    Call, Changes, Clock, ConsistencyReport, CreateResult, Description, Group, IdempotencyClaim,
    IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, RunningService,
    ServiceId, Store, StoreError, StoredKind, Timestamp, Value, WriteResult,
};
use crate::{model::readiness::Finding, settings};

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

/// How long what belongs to a service outlives it, for the clean-up to find.
const OWNED_TTL_MARGIN: Duration = Duration::from_secs(3_600);
/// How often a change is tried again that others got in the way of.
const MAX_ATTEMPTS: usize = 8;

/// One worker's way to Redis.
pub struct RedisStore {
    redis: Connections,
    keys: Keys,
    max_keys: usize,
    mode: settings::RedisMode,
    /// Whether changes wait until replicas have them.
    waits_for_replicas: bool,
    /// Somebody may have changed what operators made. Only who listens to Redis tells.
    catalog_changed: Notify,
}

impl RedisStore {
    /// Opens the way to Redis on the runtime that this is called on, and returns when it is open or the
    /// first attempt has failed; from then on it comes and goes with Redis by itself.
    ///
    /// # Errors
    /// [`StoreError::Bug`] where the settings have no URL, or one that the client does not understand.
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

/// A span in the milliseconds that scripts count in.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of Redis, measured on connections that exist anyway.
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
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        self.set_end(id, end, answer).await
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
        holder: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        self.book_number(holder, group, request).await
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.release_number(id, booking).await
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        self.match_call(groups, call).await
    }

    async fn rate_limit_take(
        &self,
        tally: &RateLimitKey,
        most: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        self.rate_limit_take(tally, most, window).await
    }

    async fn rate_limit_refund(&self, tally: &RateLimitKey) -> Result<(), StoreError> {
        self.rate_limit_refund(tally).await
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
