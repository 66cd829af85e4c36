//! The maps of the embedded store and the queue of what ends when.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    time::Duration,
};

use bytes::Bytes;

use super::{
    super::{
        Binary, BlobId, Booking, BookingId, Call, Group, IdempotencyKey, KeyName, REPLACED_TTL,
        ServiceId, StoreError, StoredCatalog, Timestamp, UPLOAD_TTL, Value, clock::AnchoredClock,
    },
    admin_sessions::SessionTable,
    audit_log::AuditLogTable,
    backend_session::EndedService,
    bookings::GroupState,
    rate_limit::RateLimits,
    service_record::ServiceRecord,
};

#[derive(Default)]
struct Blob {
    chunks: Vec<Bytes>,
    /// Its place in the queue; `None` while a living service names it.
    expiry_key: Option<ExpiryKey>,
}

/// An [`IdempotencyKey`] taken.
struct IdempotencyBinding {
    id: ServiceId,
    /// Its place in the queue; `None` once the service stands, with which it ends.
    expiry_key: Option<ExpiryKey>,
}

/// A place in the queue: when, and a number that makes it the only one of its time.
pub(super) type ExpiryKey = (Timestamp, u64);

enum Expiry {
    Service(ServiceId),
    Blob(BlobId),
    Claim(IdempotencyKey),
}

/// Everything the embedded store knows.
pub(super) struct State {
    pub(super) services: HashMap<ServiceId, ServiceRecord>,
    blobs: HashMap<BlobId, Blob>,
    claims: HashMap<IdempotencyKey, IdempotencyBinding>,
    /// What ends when. What is moved or ends early takes its entry along.
    expiries: BTreeMap<ExpiryKey, Expiry>,
    next_expiry: u64,
    pub(super) groups: HashMap<String, GroupState>,
    /// Sessions of services that are over, for whoever ends them.
    pub(super) ended_services: Vec<EndedService>,
    pub(super) rate_limits: RateLimits,
    pub(super) admin_sessions: SessionTable,
    pub(super) catalog: StoredCatalog,
    pub(super) audit_log: AuditLogTable,
    /// The time of the last heartbeat and the status, by replica.
    pub(super) replicas: BTreeMap<String, (Timestamp, String)>,
    pub(super) clock: AnchoredClock,
    used_bytes: usize,
    max_bytes: usize,
}

impl State {
    pub(super) fn new(max_bytes: usize, clock: AnchoredClock) -> Self {
        Self {
            services: HashMap::new(),
            blobs: HashMap::new(),
            claims: HashMap::new(),
            expiries: BTreeMap::new(),
            next_expiry: 0,
            groups: HashMap::new(),
            ended_services: Vec::new(),
            rate_limits: RateLimits::default(),
            admin_sessions: SessionTable::default(),
            catalog: StoredCatalog::default(),
            audit_log: AuditLogTable::default(),
            replicas: BTreeMap::new(),
            clock,
            used_bytes: 0,
            max_bytes,
        }
    }

    fn schedule(&mut self, at: Timestamp, ending: Expiry) -> ExpiryKey {
        let due = (at, self.next_expiry);
        self.next_expiry += 1;
        self.expiries.insert(due, ending);
        due
    }

    fn cancel(&mut self, due: Option<ExpiryKey>) {
        if let Some(due) = due {
            self.expiries.remove(&due);
        }
    }

    /// Takes away everything whose end is not after `now`.
    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        self.rate_limits.remove_expired(now);
        for books in self.groups.values_mut() {
            books.reclaim(now);
        }
        while let Some(entry) = self.expiries.first_entry() {
            if entry.key().0 > now {
                return;
            }
            match entry.remove() {
                Expiry::Service(id) => drop(self.delete(&id)),
                Expiry::Blob(blob) => self.drop_blob(&blob),
                Expiry::Claim(key) => drop(self.claims.remove(&key)),
            }
        }
    }

    pub(super) fn service(&self, id: &ServiceId) -> Option<&ServiceRecord> {
        self.services.get(id)
    }

    /// The id that `key` is bound to, which is `id` where it was free.
    pub(super) fn idempotency_key(
        &mut self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Timestamp,
    ) -> ServiceId {
        if let Some(bound) = self.claims.get(key) {
            return bound.id.clone();
        }
        let due = self.schedule(end, Expiry::Claim(key.clone()));
        let bound = IdempotencyBinding {
            id: id.clone(),
            expiry_key: Some(due),
        };
        self.claims.insert(key.clone(), bound);
        id
    }

    /// Checks that there is room for the texts of `values`; binaries were counted chunk by chunk.
    pub(super) fn check_room_for(&self, values: &[(KeyName, Value)]) -> Result<(), StoreError> {
        let wanted = values.iter().map(|(name, value)| cost(name, value)).sum();
        self.check_room(wanted)
    }

    fn check_room(&self, wanted: usize) -> Result<(), StoreError> {
        if self.used_bytes + wanted > self.max_bytes {
            let held = format!("{} of {} bytes are in use", self.used_bytes, self.max_bytes);
            return Err(StoreError::Full(held));
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, id: ServiceId, mut held: ServiceRecord) {
        let claim = held.claim.as_ref();
        let bound = claim.and_then(|key| self.claims.get_mut(key));
        let bound = bound.filter(|bound| bound.id == id);
        let due = bound.and_then(|bound| bound.expiry_key.take());
        self.cancel(due);
        held.expiry_key = Some(self.schedule(held.end, Expiry::Service(id.clone())));
        self.services.insert(id, held);
    }

    /// Puts `values` into a living service.
    pub(super) fn set_values(&mut self, id: &ServiceId, values: Vec<(KeyName, Value)>) {
        let names: Vec<KeyName> = values.iter().map(|(name, _)| name.clone()).collect();
        self.remove_keys(id, &names);
        for (name, value) in values {
            self.used_bytes += cost(&name, &value);
            if let Value::Binary(binary) = &value {
                let blob = self.blobs.get_mut(&binary.blob);
                let due = blob.and_then(|blob| blob.expiry_key.take());
                self.cancel(due);
            }
            if let Some(held) = self.services.get_mut(id) {
                held.values.insert(name, value);
            }
        }
    }

    /// Empties `names` of a living service. Their binaries stay readable for a minute.
    pub(super) fn remove_keys(&mut self, id: &ServiceId, names: &[KeyName]) {
        for name in names {
            let held = self.services.get_mut(id);
            let Some(value) = held.and_then(|held| held.values.remove(name)) else {
                continue;
            };
            self.used_bytes -= cost(name, &value);
            if let Value::Binary(binary) = value {
                self.expire_blob_in(&binary.blob, REPLACED_TTL);
            }
        }
    }

    /// The books of a group, as it is configured.
    pub(super) fn group_bookings(&mut self, group: &Group) -> &mut GroupState {
        let books = self.groups.entry(group.name.clone()).or_default();
        books.sync_group(group);
        books
    }

    /// Notes a booking with its service, if that stands already.
    pub(super) fn record_booking(&mut self, id: &ServiceId, booking: &Booking) {
        if let Some(held) = self.services.get_mut(id) {
            let booking = (booking.group.clone(), booking.id.clone());
            held.bookings.push(booking);
        }
    }

    pub(super) fn release_number(&mut self, id: &ServiceId, group: &str, booking: &BookingId) {
        if let Some(held) = self.services.get_mut(id) {
            held.bookings.retain(|(_, noted)| noted != booking);
        }
        if let Some(books) = self.groups.get_mut(group) {
            books.release(booking, self.clock.now());
        }
    }

    /// The service whose newest booking fits a call; its number is given back.
    pub(super) fn match_call(&mut self, groups: &[String], call: &Call) -> Option<ServiceId> {
        let now = self.clock.now();
        let newest = groups.iter().filter_map(|group| {
            let lives = |id: &ServiceId| self.services.contains_key(id);
            let booking = self.groups.get(group)?.match_booking(call, now, lives)?;
            Some((booking, group))
        });
        let (booking, group) = newest.max()?;
        let entry = self.groups.get_mut(group)?.release(&booking, now)?;
        self.release_number(&entry.service, group, &booking);
        Some(entry.service)
    }

    pub(super) fn set_end(&mut self, id: &ServiceId, end: Timestamp) -> Option<()> {
        let before = self.services.get_mut(id)?.expiry_key.take();
        self.cancel(before);
        let due = self.schedule(end, Expiry::Service(id.clone()));
        let held = self.services.get_mut(id)?;
        (held.end, held.expiry_key) = (end, Some(due));
        for (group, booking) in &held.bookings {
            if let Some(books) = self.groups.get_mut(group) {
                books.set_end(booking, end);
            }
        }
        Some(())
    }

    /// Ends a service with all that belongs to it.
    pub(super) fn delete(&mut self, id: &ServiceId) -> Option<()> {
        let mut held = self.services.remove(id)?;
        self.cancel(held.expiry_key);
        let sessions = mem::take(&mut held.sessions);
        if !sessions.is_empty() {
            self.ended_services
                .push(EndedService::new(self.clock.now(), id.clone(), sessions));
        }
        for (group, booking) in &held.bookings {
            if let Some(books) = self.groups.get_mut(group) {
                books.release(booking, self.clock.now());
            }
        }
        if let Some(key) = &held.claim
            && self.claims.get(key).is_some_and(|bound| bound.id == *id)
        {
            self.claims.remove(key);
        }
        let blobs: HashSet<BlobId> = held.values.values().filter_map(blob_of).collect();
        for blob in &blobs {
            self.drop_blob(blob);
        }
        let values = held.values.iter();
        self.used_bytes -= values.map(|(name, value)| cost(name, value)).sum::<usize>();
        Some(())
    }

    pub(super) fn read_chunk(&self, blob: &BlobId, index: u64) -> Option<Bytes> {
        let index = usize::try_from(index).ok()?;
        self.blobs.get(blob)?.chunks.get(index).cloned()
    }

    pub(super) fn is_uploaded(&self, binary: &Binary) -> bool {
        let stored = self
            .blobs
            .get(&binary.blob)
            .map_or(0, |blob| blob.chunks.len());
        stored as u64 == binary.chunks()
    }

    pub(super) fn write_chunk(
        &mut self,
        id: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.check_room(chunk.len())?;
        let blob = self.blobs.entry(id.clone()).or_default();
        if blob.chunks.len() as u64 != index {
            return Err(StoreError::Bug(format!("chunk {index} is out of turn")));
        }
        blob.chunks.push(Bytes::copy_from_slice(chunk));
        self.used_bytes += chunk.len();
        self.expire_blob_in(id, UPLOAD_TTL);
        Ok(())
    }

    fn expire_blob_in(&mut self, id: &BlobId, life: Duration) {
        let Some(before) = self.blobs.get_mut(id).map(|blob| blob.expiry_key.take()) else {
            return;
        };
        self.cancel(before);
        let due = self.schedule(self.clock.now().after(life), Expiry::Blob(id.clone()));
        if let Some(blob) = self.blobs.get_mut(id) {
            blob.expiry_key = Some(due);
        }
    }

    pub(super) fn drop_blob(&mut self, id: &BlobId) {
        if let Some(blob) = self.blobs.remove(id) {
            self.cancel(blob.expiry_key);
            self.used_bytes -= blob.chunks.iter().map(Bytes::len).sum::<usize>();
        }
    }
}

fn blob_of(value: &Value) -> Option<BlobId> {
    match value {
        Value::Binary(binary) => Some(binary.blob.clone()),
        Value::Text(_) => None,
    }
}

/// What a key takes up besides the chunks of a binary.
fn cost(name: &KeyName, value: &Value) -> usize {
    let value = match value {
        Value::Text(text) => text.len(),
        Value::Binary(_) => 0,
    };
    name.as_str().len() + value
}
