//! The maps of the embedded store and the queue of what ends when.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    time::Duration,
};

use bytes::Bytes;

use super::{
    super::{
        Binary, BlobId, Booking, BookingId, Call, Changes, Description, Group, IdempotencyKey,
        KeyName, Moment, REPLACED_LIFE, ServiceId, Session, StoreError, UPLOAD_LIFE, Value,
        clock::ReadClock,
    },
    books::Books,
    register::Kept,
    sessions::Over,
    tallies::Tallies,
    visits::Open,
};

/// One living service.
#[derive(Default)]
pub(super) struct Held {
    pub(super) definition: String,
    pub(super) created: Moment,
    pub(super) end: Moment,
    pub(super) claim: Option<IdempotencyKey>,
    pub(super) answer: Option<String>,
    pub(super) gms_user: Option<String>,
    /// Group and id of each booking made for it.
    pub(super) bookings: Vec<(String, BookingId)>,
    pub(super) sessions: Vec<Session>,
    pub(super) slots: BTreeMap<KeyName, Value>,
    /// Its place in the queue, once it has one.
    pub(super) due: Option<Due>,
}

impl Held {
    pub(super) fn get(&self, key: &KeyName) -> Option<&Value> {
        self.slots.get(key)
    }

    pub(super) fn names(&self) -> Vec<KeyName> {
        self.slots.keys().cloned().collect()
    }

    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let text = |(name, value): (&KeyName, &Value)| match value {
            Value::Text(text) => Some((name.as_str().to_owned(), text.clone())),
            Value::Binary(_) => None,
        };
        self.slots.iter().filter_map(text).collect()
    }

    pub(super) fn describe(&self) -> Description {
        let mut description = Description {
            definition: self.definition.clone(),
            created: self.created,
            end: self.end,
            gms_user: self.gms_user.clone(),
            keys: Vec::new(),
            binaries: Vec::new(),
        };
        for (name, value) in &self.slots {
            let name = name.as_str().to_owned();
            match value {
                Value::Text(_) => description.keys.push(name),
                Value::Binary(binary) => description.binaries.push((name, binary.clone())),
            }
        }
        description
    }

    /// How many keys there would be after `changes`.
    pub(super) fn len_after(&self, changes: &Changes) -> usize {
        let set = changes.set.iter().map(|(name, _)| name);
        let added = set.filter(|name| !self.slots.contains_key(name)).count();
        let held = |name: &&KeyName| self.slots.contains_key(name);
        self.slots.len() + added - changes.remove.iter().filter(held).count()
    }
}

#[derive(Default)]
struct Blob {
    chunks: Vec<Bytes>,
    /// Its place in the queue; `None` while a living service names it.
    due: Option<Due>,
}

/// An [`IdempotencyKey`] taken.
struct Bound {
    id: ServiceId,
    /// Its place in the queue; `None` once the service stands, with which it ends.
    due: Option<Due>,
}

/// A place in the queue: when, and a number that makes it the only one of its time.
pub(super) type Due = (Moment, u64);

enum Ending {
    Service(ServiceId),
    Blob(BlobId),
    Claim(IdempotencyKey),
}

/// Everything the embedded store knows.
pub(super) struct State {
    pub(super) services: HashMap<ServiceId, Held>,
    blobs: HashMap<BlobId, Blob>,
    claims: HashMap<IdempotencyKey, Bound>,
    /// What ends when. What is moved or ends early takes its entry along.
    endings: BTreeMap<Due, Ending>,
    next_ending: u64,
    pub(super) books: HashMap<String, Books>,
    /// Sessions of services that are over, for whoever ends them.
    pub(super) over: Vec<Over>,
    pub(super) tallies: Tallies,
    pub(super) visits: Open,
    pub(super) kept: Kept,
    pub(super) clock: ReadClock,
    used: usize,
    max_bytes: usize,
}

impl State {
    pub(super) fn new(max_bytes: usize, clock: ReadClock) -> Self {
        Self {
            services: HashMap::new(),
            blobs: HashMap::new(),
            claims: HashMap::new(),
            endings: BTreeMap::new(),
            next_ending: 0,
            books: HashMap::new(),
            over: Vec::new(),
            tallies: Tallies::default(),
            visits: Open::default(),
            kept: Kept::default(),
            clock,
            used: 0,
            max_bytes,
        }
    }

    fn schedule(&mut self, at: Moment, ending: Ending) -> Due {
        let due = (at, self.next_ending);
        self.next_ending += 1;
        self.endings.insert(due, ending);
        due
    }

    fn cancel(&mut self, due: Option<Due>) {
        if let Some(due) = due {
            self.endings.remove(&due);
        }
    }

    /// Takes away everything whose end is not after `now`.
    pub(super) fn end_all_due(&mut self, now: Moment) {
        self.tallies.end_all_due(now);
        for books in self.books.values_mut() {
            books.reclaim(now);
        }
        while let Some(entry) = self.endings.first_entry() {
            if entry.key().0 > now {
                return;
            }
            match entry.remove() {
                Ending::Service(id) => drop(self.end(&id)),
                Ending::Blob(blob) => self.drop_blob(&blob),
                Ending::Claim(key) => drop(self.claims.remove(&key)),
            }
        }
    }

    pub(super) fn service(&self, id: &ServiceId) -> Option<&Held> {
        self.services.get(id)
    }

    /// The id that `key` is bound to, which is `id` where it was free.
    pub(super) fn claim(&mut self, key: &IdempotencyKey, id: ServiceId, end: Moment) -> ServiceId {
        if let Some(bound) = self.claims.get(key) {
            return bound.id.clone();
        }
        let due = self.schedule(end, Ending::Claim(key.clone()));
        let bound = Bound {
            id: id.clone(),
            due: Some(due),
        };
        self.claims.insert(key.clone(), bound);
        id
    }

    /// Checks that there is room for the texts of `values`; binaries were counted chunk by chunk.
    pub(super) fn reserve(&self, values: &[(KeyName, Value)]) -> Result<(), StoreError> {
        let wanted = values.iter().map(|(name, value)| cost(name, value)).sum();
        self.room_for(wanted)
    }

    fn room_for(&self, wanted: usize) -> Result<(), StoreError> {
        if self.used + wanted > self.max_bytes {
            let held = format!("{} of {} bytes are in use", self.used, self.max_bytes);
            return Err(StoreError::Full(held));
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, id: ServiceId, mut held: Held) {
        let claim = held.claim.as_ref();
        let bound = claim.and_then(|key| self.claims.get_mut(key));
        let bound = bound.filter(|bound| bound.id == id);
        let due = bound.and_then(|bound| bound.due.take());
        self.cancel(due);
        held.due = Some(self.schedule(held.end, Ending::Service(id.clone())));
        self.services.insert(id, held);
    }

    /// Puts `values` into a living service.
    pub(super) fn set(&mut self, id: &ServiceId, values: Vec<(KeyName, Value)>) {
        let names: Vec<KeyName> = values.iter().map(|(name, _)| name.clone()).collect();
        self.remove_keys(id, &names);
        for (name, value) in values {
            self.used += cost(&name, &value);
            if let Value::Binary(binary) = &value {
                let blob = self.blobs.get_mut(&binary.blob);
                let due = blob.and_then(|blob| blob.due.take());
                self.cancel(due);
            }
            if let Some(held) = self.services.get_mut(id) {
                held.slots.insert(name, value);
            }
        }
    }

    /// Empties `names` of a living service. Their binaries stay readable for a minute.
    pub(super) fn remove_keys(&mut self, id: &ServiceId, names: &[KeyName]) {
        for name in names {
            let held = self.services.get_mut(id);
            let Some(value) = held.and_then(|held| held.slots.remove(name)) else {
                continue;
            };
            self.used -= cost(name, &value);
            if let Value::Binary(binary) = value {
                self.end_blob_in(&binary.blob, REPLACED_LIFE);
            }
        }
    }

    /// The books of a group, as it is configured.
    pub(super) fn books(&mut self, group: &Group) -> &mut Books {
        let books = self.books.entry(group.name.clone()).or_default();
        books.follow(group);
        books
    }

    /// Notes a booking with its service, if that stands already.
    pub(super) fn note_booking(&mut self, id: &ServiceId, booking: &Booking) {
        if let Some(held) = self.services.get_mut(id) {
            let booking = (booking.group.clone(), booking.id.clone());
            held.bookings.push(booking);
        }
    }

    pub(super) fn release(&mut self, id: &ServiceId, group: &str, booking: &BookingId) {
        if let Some(held) = self.services.get_mut(id) {
            held.bookings.retain(|(_, noted)| noted != booking);
        }
        if let Some(books) = self.books.get_mut(group) {
            books.release(booking, self.clock.now());
        }
    }

    /// The service whose newest booking fits a call; its number is given back.
    pub(super) fn match_call(&mut self, groups: &[String], call: &Call) -> Option<ServiceId> {
        let now = self.clock.now();
        let newest = groups.iter().filter_map(|group| {
            let lives = |id: &ServiceId| self.services.contains_key(id);
            let booking = self.books.get(group)?.find(call, now, lives)?;
            Some((booking, group))
        });
        let (booking, group) = newest.max()?;
        let entry = self.books.get_mut(group)?.release(&booking, now)?;
        self.release(&entry.service, group, &booking);
        Some(entry.service)
    }

    pub(super) fn set_end(&mut self, id: &ServiceId, end: Moment) -> Option<()> {
        let before = self.services.get_mut(id)?.due.take();
        self.cancel(before);
        let due = self.schedule(end, Ending::Service(id.clone()));
        let held = self.services.get_mut(id)?;
        (held.end, held.due) = (end, Some(due));
        for (group, booking) in &held.bookings {
            if let Some(books) = self.books.get_mut(group) {
                books.set_end(booking, end);
            }
        }
        Some(())
    }

    /// Ends a service with all that belongs to it.
    pub(super) fn end(&mut self, id: &ServiceId) -> Option<()> {
        let mut held = self.services.remove(id)?;
        self.cancel(held.due);
        let sessions = mem::take(&mut held.sessions);
        if !sessions.is_empty() {
            self.over
                .push(Over::since(self.clock.now(), id.clone(), sessions));
        }
        for (group, booking) in &held.bookings {
            if let Some(books) = self.books.get_mut(group) {
                books.release(booking, self.clock.now());
            }
        }
        if let Some(key) = &held.claim
            && self.claims.get(key).is_some_and(|bound| bound.id == *id)
        {
            self.claims.remove(key);
        }
        let blobs: HashSet<BlobId> = held.slots.values().filter_map(blob_of).collect();
        for blob in &blobs {
            self.drop_blob(blob);
        }
        let values = held.slots.iter();
        self.used -= values.map(|(name, value)| cost(name, value)).sum::<usize>();
        Some(())
    }

    pub(super) fn chunk(&self, blob: &BlobId, index: u64) -> Option<Bytes> {
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

    pub(super) fn upload(
        &mut self,
        id: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.room_for(chunk.len())?;
        let blob = self.blobs.entry(id.clone()).or_default();
        if blob.chunks.len() as u64 != index {
            return Err(StoreError::Bug(format!("chunk {index} is out of turn")));
        }
        blob.chunks.push(Bytes::copy_from_slice(chunk));
        self.used += chunk.len();
        self.end_blob_in(id, UPLOAD_LIFE);
        Ok(())
    }

    fn end_blob_in(&mut self, id: &BlobId, life: Duration) {
        let Some(before) = self.blobs.get_mut(id).map(|blob| blob.due.take()) else {
            return;
        };
        self.cancel(before);
        let due = self.schedule(self.clock.now().after(life), Ending::Blob(id.clone()));
        if let Some(blob) = self.blobs.get_mut(id) {
            blob.due = Some(due);
        }
    }

    pub(super) fn drop_blob(&mut self, id: &BlobId) {
        if let Some(blob) = self.blobs.remove(id) {
            self.cancel(blob.due);
            self.used -= blob.chunks.iter().map(Bytes::len).sum::<usize>();
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
