//! The embedded store: maps in the memory of this process behind one lock.
//!
//! It is for evaluation and for a single replica; its data is lost when the process exits. Expirations
//! are in a queue ordered by time, and each operation first removes everything that has expired, so no
//! operation sees expired data. No operation waits while it has the lock.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::model::{
    AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest,
    Call, Changes, ConsistencyReport, CreateResult, Description, Group, IdempotencyClaim,
    IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, RunningService,
    ServiceId, StoreError, StoredKind, Timestamp, Value, WriteResult, readiness::Finding,
};

use self::{bookings::AllocationResult, service_record::ServiceRecord, state::State};
use super::{Clock, Store, clock::AnchoredClock};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod bookings;
mod catalog;
mod consistency_check;
mod rate_limit;
mod replicas;
mod service_record;
mod state;

/// The embedded store.
pub struct MemoryStore {
    state: Mutex<State>,
    clock: AnchoredClock,
    max_keys: usize,
    /// Notified after each change of the catalog.
    catalog_changed: Notify,
}

impl MemoryStore {
    /// Creates an empty store for at most `max_bytes` bytes of names, values and binaries in total, and
    /// at most `max_keys` keys per service.
    #[must_use]
    pub fn new(max_bytes: usize, max_keys: usize) -> Self {
        let clock = AnchoredClock::from_system_time();
        Self {
            state: Mutex::new(State::new(max_bytes, clock)),
            clock,
            max_keys,
            catalog_changed: Notify::new(),
        }
    }

    /// Removes expired data. Operations do this themselves; regular calls free the memory of an idle
    /// process.
    pub fn sweep(&self) {
        drop(self.state());
    }

    /// Locks the state and removes expired data. A panic cannot leave the state inconsistent, because
    /// every change is validated before its first step; therefore a poisoned lock is used as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove_expired(self.clock.now());
        state
    }
}

/// The binaries among `values`.
fn binaries(values: &[(KeyName, Value)]) -> impl Iterator<Item = &Binary> {
    values.iter().filter_map(|(_, value)| match value {
        Value::Binary(binary) => Some(binary),
        Value::Text(_) => None,
    })
}

/// The wall clock at the time the store was opened; later jumps of the wall clock do not affect
/// expirations.
impl Clock for MemoryStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }
}

/// The total bytes of the names and values of all strings.
fn text_bytes(record: &ServiceRecord) -> usize {
    let bytes = record
        .values
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Text(text) => Some(name.as_str().len() + text.len()),
            Value::Binary(_) => None,
        });
    bytes.sum()
}

#[async_trait]
impl Store for MemoryStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        let mut state = self.state();
        let bound = state.idempotency_key(key, id, end);
        let stored = state
            .service(&bound)
            .and_then(|record| record.response.clone());
        Ok(match stored {
            Some(stored) => IdempotencyClaim::Replayed { id: bound, stored },
            None => IdempotencyClaim::Create(bound),
        })
    }

    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        let mut state = self.state();
        if let Some(record) = state.service(&service.id) {
            let in_use = || {
                let message = format!("the new service id {} is in use", service.id.redacted());
                StoreError::Bug(message)
            };
            return record
                .response
                .clone()
                .map(CreateResult::Replayed)
                .ok_or_else(in_use);
        }
        if !binaries(&service.data).all(|binary| state.is_uploaded(binary)) {
            return Ok(CreateResult::UploadLost);
        }
        state.check_room_for(&service.data)?;
        let (claim, response) = service.idempotency.unzip();
        let record = ServiceRecord {
            definition: service.definition,
            created: service.created,
            end: service.end,
            claim,
            response,
            gms_user: service.gms_user,
            bookings: service
                .booking
                .into_iter()
                .map(|booking| (booking.group, booking.id))
                .collect(),
            ..ServiceRecord::default()
        };
        state.insert(service.id.clone(), record);
        state.set_values(&service.id, service.data);
        Ok(CreateResult::Created)
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| record.definition.clone()))
    }

    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError> {
        Ok(self.state().service(id).map(|record| RunningService {
            definition: record.definition.clone(),
            session: record.sessions.last().cloned(),
        }))
    }

    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().attach_session(id, session.clone()))
    }

    async fn finish_create(
        &self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().finish_create(id, end, response))
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        Ok(self.state().service(id).map(ServiceRecord::describe))
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| match record.get(key) {
                Some(Value::Text(text)) => StoredKind::Text(text.clone()),
                Some(Value::Binary(_)) => StoredKind::Binary,
                None => StoredKind::Empty,
            }))
    }

    async fn read_all(
        &self,
        id: &ServiceId,
        max_bytes: usize,
    ) -> Result<Option<AllTexts>, StoreError> {
        Ok(self.state().service(id).map(|record| {
            let bytes = text_bytes(record);
            if bytes > max_bytes {
                return AllTexts::TooLarge { bytes };
            }
            AllTexts::Texts(record.texts())
        }))
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError> {
        let mut state = self.state();
        let Some(record) = state.service(id) else {
            return Ok(WriteResult::ServiceNotFound);
        };
        if record.len_after(&changes) > self.max_keys {
            return Ok(WriteResult::TooManyKeys);
        }
        if !binaries(&changes.set).all(|binary| state.is_uploaded(binary)) {
            return Ok(WriteResult::UploadLost);
        }
        state.check_room_for(&changes.set)?;
        state.remove_keys(id, &changes.remove);
        state.set_values(id, changes.set);
        Ok(WriteResult::Stored)
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut state = self.state();
        let Some(names) = state.service(id).map(ServiceRecord::names) else {
            return Ok(None);
        };
        state.remove_keys(id, &names);
        Ok(Some(()))
    }

    async fn set_end(&self, id: &ServiceId, end: Timestamp) -> Result<Option<()>, StoreError> {
        Ok(self.state().set_end(id, end))
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        Ok(self.state().delete(id))
    }

    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        Ok(self
            .state()
            .service(id)
            .map(|record| match record.get(key) {
                Some(Value::Binary(binary)) => Some(binary.clone()),
                Some(Value::Text(_)) | None => None,
            }))
    }

    async fn read_chunk(
        &self,
        _id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().read_chunk(blob, index))
    }

    async fn write_chunk(
        &self,
        _id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.state().write_chunk(blob, index, chunk)
    }

    async fn discard(&self, _id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        let mut state = self.state();
        for blob in blobs {
            state.drop_blob(blob);
        }
        Ok(())
    }

    async fn book_number(
        &self,
        owner: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let max_until = now.after(request.timeout);
        let until = match owner {
            BookingOwner::New(_) => max_until,
            BookingOwner::NewRepeatable(id, _) => match state.service(id) {
                Some(record) => {
                    let stored = record.response.clone();
                    return Ok(stored.map_or(BookResult::ServiceNotFound, BookResult::Replayed));
                }
                None => max_until,
            },
            BookingOwner::Existing(id) => match state.service(id) {
                Some(record) => max_until.min(record.end),
                None => return Ok(BookResult::ServiceNotFound),
            },
        };
        let id = owner.id();
        match state
            .group_bookings(group)
            .book_number(group, request, owner, until, now)
        {
            AllocationResult::Exhausted(wait) => Ok(BookResult::Exhausted(wait)),
            AllocationResult::Allocated(booking) => {
                state.record_booking(id, &booking);
                Ok(BookResult::Booked(booking))
            }
        }
    }

    async fn release_pending_number(
        &self,
        id: &ServiceId,
        booking: &Booking,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.service(id).is_none() {
            state.release_number(id, &booking.group, &booking.id);
        }
        Ok(())
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.state().release_number(id, &booking.group, &booking.id);
        Ok(())
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        // All numbers are parsed with the same region: the default region of a process never changes.
        let found = self.state().match_call(groups, call);
        Ok(found.map_or(MatchResult::NoMatch, MatchResult::Matched))
    }

    async fn rate_limit_take(
        &self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        let now = self.clock.now();
        self.state().rate_limits.take(key, max, window, now)
    }

    async fn rate_limit_refund(&self, key: &RateLimitKey) -> Result<(), StoreError> {
        self.state().rate_limits.refund(key);
        Ok(())
    }

    async fn check_consistency(
        &self,
        _groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError> {
        Ok(self.state().check_consistency())
    }

    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        Ok(Vec::new())
    }
}
