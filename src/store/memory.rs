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

use self::{
    books::Wish,
    state::{Held, State},
};
use super::{
    AllTexts, Audit, Binary, BlobId, Booked, Booking, BookingRequest, Call, Changes, Claim, Clock,
    Counted, Created, Description, Group, Holder, IdempotencyKey, KeyName, Matched, Moment,
    NewService, Running, ServiceId, Session, Slot, Store, StoreError, Tally, Value, Written,
    clock::ReadClock,
};

mod audit;
mod books;
mod overview;
mod register;
mod sessions;
mod state;
mod tallies;
mod visits;

/// A store in this process.
pub struct MemoryStore {
    state: Mutex<State>,
    clock: ReadClock,
    max_keys: usize,
    /// Operators have changed something.
    changed: Notify,
}

impl MemoryStore {
    /// An empty store that holds at most `max_bytes` of names, values and binaries in all, and at
    /// most `max_keys` keys in one service.
    #[must_use]
    pub fn new(max_bytes: usize, max_keys: usize) -> Self {
        let clock = ReadClock::of_this_machine();
        Self {
            state: Mutex::new(State::new(max_bytes, clock)),
            clock,
            max_keys,
            changed: Notify::new(),
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
        state.end_all_due(self.clock.now());
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
    fn now(&self) -> Result<Moment, StoreError> {
        Ok(self.clock.now())
    }
}

/// Bytes of the names and values of all strings.
fn text_bytes(held: &Held) -> usize {
    let bytes = held.slots.iter().filter_map(|(name, value)| match value {
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
        end: Moment,
    ) -> Result<Claim, StoreError> {
        let mut state = self.state();
        let bound = state.claim(key, id, end);
        let kept = state.service(&bound).and_then(|held| held.answer.clone());
        Ok(match kept {
            Some(kept) => Claim::Answered { id: bound, kept },
            None => Claim::Create(bound),
        })
    }

    async fn create(&self, service: NewService) -> Result<Created, StoreError> {
        let mut state = self.state();
        if let Some(held) = state.service(&service.id) {
            let in_use = || {
                let used = format!("the new service id {} is in use", service.id.hint());
                StoreError::Bug(used)
            };
            return held.answer.clone().map(Created::Before).ok_or_else(in_use);
        }
        if !binaries(&service.data).all(|binary| state.is_uploaded(binary)) {
            return Ok(Created::UploadLost);
        }
        state.reserve(&service.data)?;
        let (claim, answer) = service.repeatable.unzip();
        let held = Held {
            definition: service.definition,
            created: service.created,
            end: service.end,
            claim,
            answer,
            gms_user: service.gms_user,
            bookings: service
                .booking
                .into_iter()
                .map(|held| (held.group, held.id))
                .collect(),
            ..Held::default()
        };
        state.insert(service.id.clone(), held);
        state.set(&service.id, service.data);
        Ok(Created::New)
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        Ok(self.state().service(id).map(|held| held.definition.clone()))
    }

    async fn running(&self, id: &ServiceId) -> Result<Option<Running>, StoreError> {
        Ok(self.state().service(id).map(|held| Running {
            definition: held.definition.clone(),
            session: held.sessions.last().cloned(),
        }))
    }

    async fn attach(&self, id: &ServiceId, session: &Session) -> Result<Option<()>, StoreError> {
        Ok(self.state().attach(id, session.clone()))
    }

    async fn settle(
        &self,
        id: &ServiceId,
        end: Moment,
        answer: Option<&str>,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().settle(id, end, answer))
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        Ok(self.state().service(id).map(Held::describe))
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<Slot>, StoreError> {
        Ok(self.state().service(id).map(|held| match held.get(key) {
            Some(Value::Text(text)) => Slot::Text(text.clone()),
            Some(Value::Binary(_)) => Slot::Binary,
            None => Slot::Empty,
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

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<Written, StoreError> {
        let mut state = self.state();
        let Some(held) = state.service(id) else {
            return Ok(Written::NoService);
        };
        if held.len_after(&changes) > self.max_keys {
            return Ok(Written::TooManyKeys);
        }
        if !binaries(&changes.set).all(|binary| state.is_uploaded(binary)) {
            return Ok(Written::UploadLost);
        }
        state.reserve(&changes.set)?;
        state.remove_keys(id, &changes.remove);
        state.set(id, changes.set);
        Ok(Written::Stored)
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut state = self.state();
        let Some(names) = state.service(id).map(Held::names) else {
            return Ok(None);
        };
        state.remove_keys(id, &names);
        Ok(Some(()))
    }

    async fn set_end(&self, id: &ServiceId, end: Moment) -> Result<Option<()>, StoreError> {
        Ok(self.state().set_end(id, end))
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        Ok(self.state().end(id))
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
        Ok(self.state().chunk(blob, index))
    }

    async fn write_chunk(
        &self,
        _id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.state().upload(blob, index, chunk)
    }

    async fn discard(&self, _id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        let mut state = self.state();
        for blob in blobs {
            state.drop_blob(blob);
        }
        Ok(())
    }

    async fn book(
        &self,
        holder: Holder<'_>,
        group: &Group,
        request: &BookingRequest,
    ) -> Result<Booked, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let longest = now.after(request.timeout);
        let until = match holder {
            Holder::New(_) => longest,
            Holder::Existing(id) => match state.service(id) {
                Some(held) => longest.min(held.end),
                None => return Ok(Booked::NoService),
            },
        };
        let id = holder.id();
        match state.books(group).hold(group, request, id, until, now) {
            Wish::NoneFree(wait) => Ok(Booked::NoneFree(wait)),
            Wish::Held(booking) => {
                state.note_booking(id, &booking);
                Ok(Booked::Held(booking))
            }
        }
    }

    async fn release(&self, id: &ServiceId, booking: &Booking) -> Result<(), StoreError> {
        self.state().release(id, &booking.group, &booking.id);
        Ok(())
    }

    async fn match_call(&self, groups: &[String], call: &Call) -> Result<Matched, StoreError> {
        // The default region of a process never changes.
        let found = self.state().match_call(groups, call);
        Ok(found.map_or(Matched::Nobody, Matched::Service))
    }

    async fn count(
        &self,
        tally: &Tally,
        most: u64,
        window: Duration,
    ) -> Result<Counted, StoreError> {
        let now = self.clock.now();
        self.state().tallies.count(tally, most, window, now)
    }

    async fn uncount(&self, tally: &Tally) -> Result<(), StoreError> {
        self.state().tallies.uncount(tally);
        Ok(())
    }

    async fn audit(&self, _groups: &[Arc<Group>]) -> Result<Audit, StoreError> {
        Ok(self.state().audit())
    }

    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        Ok(Vec::new())
    }
}
