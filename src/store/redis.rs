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
    AllTexts, Audit, Binary, BlobId, Booked, Booking, BookingRequest, Call, Changes, Claim, Clock,
    Counted, Created, Description, Group, Holder, IdempotencyKey, KeyName, Matched, Moment,
    NewService, Running, ServiceId, Session, Slot, Store, StoreError, Tally, Value, Written,
};
use crate::{model::readiness::Finding, settings};

mod audit;
mod binaries;
mod bookings;
mod checks;
mod cleanup;
mod connection;
mod events;
mod filling;
mod keys;
mod overview;
mod probe;
mod register;
mod reply;
mod scripts;
mod services;
mod sessions;
mod storage;
mod survey;
mod tallies;
mod visits;

/// How long what belongs to a service outlives it, for the clean-up to find.
const OWN_OUTLIVES_BY: Duration = Duration::from_secs(3_600);
/// How often a change is tried again that others got in the way of.
const ATTEMPTS: usize = 8;

/// One worker's way to Redis.
pub struct RedisStore {
    redis: Connections,
    keys: Keys,
    max_keys: usize,
    mode: settings::RedisMode,
    /// Whether changes wait until replicas have them.
    waits_for_replicas: bool,
    /// Somebody may have changed what operators made. Only who listens to Redis tells.
    changed: Notify,
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
            changed: Notify::new(),
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
    StoreError::Conflict(format!("service {}", id.hint()))
}

/// A span in the milliseconds that scripts count in.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of Redis, measured on connections that exist anyway.
impl Clock for RedisStore {
    fn now(&self) -> Result<Moment, StoreError> {
        self.redis.now()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Moment,
    ) -> Result<Claim, StoreError> {
        self.claim_key(key, id, end).await
    }

    async fn create(&self, service: NewService) -> Result<Created, StoreError> {
        self.create_service(service).await
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        self.redis.query(&get).await
    }

    async fn running(&self, id: &ServiceId) -> Result<Option<Running>, StoreError> {
        self.find_running(id).await
    }

    async fn attach(&self, id: &ServiceId, session: &Session) -> Result<Option<()>, StoreError> {
        self.attach_session(id, session).await
    }

    async fn settle(
        &self,
        id: &ServiceId,
        end: Moment,
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        self.move_end(id, end, answer).await
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        self.describe_service(id).await
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<Slot>, StoreError> {
        self.read_slot(id, key).await
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        self.read_texts(id, max_bytes).await
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<Written, StoreError> {
        self.write_changes(id, changes).await
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        self.clear_storage(id).await
    }

    async fn set_end(&self, id: &ServiceId, end: Moment) -> Result<Option<()>, StoreError> {
        self.move_end(id, end, None).await
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        self.delete_service(id).await
    }

    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        self.find_descriptor(id, key).await
    }

    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        self.get_chunk(id, blob, index).await
    }

    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.put_chunk(id, blob, index, chunk).await
    }

    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        self.discard_blobs(id, blobs).await
    }

    async fn book(
        &self,
        holder: Holder<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<Booked, StoreError> {
        self.hold(holder, group, request).await
    }

    async fn release(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.give_back_booking(id, booking).await
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<Matched, StoreError> {
        self.find_call(groups, call).await
    }

    async fn count(
        &self,
        tally: &Tally,
        most: u64,
        window: Duration,
    ) -> Result<Counted, StoreError> {
        self.count_one(tally, most, window).await
    }

    async fn uncount(&self, tally: &Tally) -> Result<(), StoreError> {
        self.take_one_back(tally).await
    }

    async fn audit(&self, groups: &[Arc<Group>]) -> Result<Audit, StoreError> {
        self.look_through(groups).await
    }

    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        self.redis.check_health(&self.keys).await
    }
}
