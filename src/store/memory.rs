//! The embedded store: plain maps in this process behind one lock.
//!
//! For trying out and for one replica; what is in it goes with the process. Ends are kept in a queue
//! by time, and whatever is due is taken away before any verb looks, so nothing outlives its end by
//! being asked late. No verb waits while it holds the lock.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::model::readiness::Finding;

use self::{bookings::AllocationResult, service_record::ServiceRecord, state::State};
use super::{
    AllTexts, BackendSession, Binary, BlobId, BookResult, Booking, BookingOwner, BookingRequest,
    Call, Changes, Clock, ConsistencyReport, CreateResult, Description, Group, IdempotencyClaim,
    IdempotencyKey, KeyName, MatchResult, NewService, RateLimitKey, RateLimitState, RunningService,
    ServiceId, Store, StoreError, StoredKind, Timestamp, Value, WriteResult, clock::AnchoredClock,
};

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

/// A store in this process.
pub struct MemoryStore {
    state: Mutex<State>,
    clock: AnchoredClock,
    max_keys: usize,
    /// Operators have changed something.
    catalog_changed: Notify,
}

impl MemoryStore {
    /// An empty store that holds at most `max_bytes` of names, values and binaries in all, and at
    /// most `max_keys` keys in one service.
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

    /// Takes away what has ended. Verbs do it themselves; called now and then it keeps an idle
    /// process from holding what is long gone.
    pub fn sweep(&self) {
        drop(self.state());
    }

    /// The state as of now: what has ended is gone. A panic elsewhere cannot leave it half changed,
    /// because every change is checked before the first step; so a poisoned lock is taken as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove_expired(self.clock.now());
        state
    }
}

/// The binaries that `values` name.
fn binaries(values: &[(KeyName, Value)]) -> impl Iterator<Item = &Binary> {
    values.iter().filter_map(|(_, value)| match value {
        Value::Binary(binary) => Some(binary),
        Value::Text(_) => None,
    })
}

/// The wall clock as it was when the store was opened; later jumps of the wall clock change no life.
impl Clock for MemoryStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }
}

/// Bytes of the names and values of all strings.
fn text_bytes(held: &ServiceRecord) -> usize {
    let bytes = held.values.iter().filter_map(|(name, value)| match value {
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
        let answer = state.service(&bound).and_then(|held| held.response.clone());
        Ok(answer.map_or(IdempotencyClaim::Create(bound), IdempotencyClaim::Replayed))
    }

    async fn create(&self, service: NewService) -> Result<CreateResult, StoreError> {
        let mut state = self.state();
        if let Some(held) = state.service(&service.id) {
            return match &held.response {
                Some(answer) => Ok(CreateResult::Replayed(answer.clone())),
                None if service.idempotency.is_some() => Ok(CreateResult::InProgress),
                None => {
                    let used = format!("the new service id {} is in use", service.id.redacted());
                    Err(StoreError::Bug(used))
                }
            };
        }
        if !binaries(&service.data).all(|binary| state.is_uploaded(binary)) {
            return Ok(CreateResult::UploadLost);
        }
        state.check_room_for(&service.data)?;
        let (claim, answer) = service.idempotency.unzip();
        let held = ServiceRecord {
            definition: service.definition,
            created: service.created,
            end: service.end,
            claim,
            response: answer.flatten(),
            gms_user: service.gms_user,
            bookings: service
                .booking
                .into_iter()
                .map(|held| (held.group, held.id))
                .collect(),
            ..ServiceRecord::default()
        };
        state.insert(service.id.clone(), held);
        state.set_values(&service.id, service.data);
        Ok(CreateResult::Created)
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        Ok(self.state().service(id).map(|held| held.definition.clone()))
    }

    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError> {
        Ok(self.state().service(id).map(|held| RunningService {
            definition: held.definition.clone(),
            session: held.sessions.last().cloned(),
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
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().finish_create(id, end, answer))
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        Ok(self.state().service(id).map(ServiceRecord::describe))
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<StoredKind>, StoreError> {
        Ok(self.state().service(id).map(|held| match held.get(key) {
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
        Ok(self.state().service(id).map(|held| {
            let bytes = text_bytes(held);
            if bytes > max_bytes {
                return AllTexts::TooLarge { bytes };
            }
            AllTexts::Texts(held.texts())
        }))
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<WriteResult, StoreError> {
        let mut state = self.state();
        let Some(held) = state.service(id) else {
            return Ok(WriteResult::ServiceNotFound);
        };
        if held.len_after(&changes) > self.max_keys {
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
        Ok(self.state().service(id).map(|held| match held.get(key) {
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
        holder: BookingOwner<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<BookResult, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let longest = now.after(request.timeout);
        let until = match holder {
            BookingOwner::New(_) => longest,
            BookingOwner::Existing(id) => match state.service(id) {
                Some(held) => longest.min(held.end),
                None => return Ok(BookResult::ServiceNotFound),
            },
        };
        let id = holder.id();
        match state
            .group_bookings(group)
            .book_number(group, request, id, until, now)
        {
            AllocationResult::Exhausted(wait) => Ok(BookResult::Exhausted(wait)),
            AllocationResult::Allocated(booking) => {
                state.record_booking(id, &booking);
                Ok(BookResult::Booked(booking))
            }
        }
    }

    async fn release_number(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.state().release_number(id, &booking.group, &booking.id);
        Ok(())
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<MatchResult, StoreError> {
        // The default region of a process never changes.
        let found = self.state().match_call(groups, call);
        Ok(found.map_or(MatchResult::NoMatch, MatchResult::Matched))
    }

    async fn rate_limit_take(
        &self,
        tally: &RateLimitKey,
        most: u64,
        window: Duration,
    ) -> Result<RateLimitState, StoreError> {
        let now = self.clock.now();
        self.state().rate_limits.take(tally, most, window, now)
    }

    async fn rate_limit_refund(&self, tally: &RateLimitKey) -> Result<(), StoreError> {
        self.state().rate_limits.refund(tally);
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
