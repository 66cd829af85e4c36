//! The bookings of one resource group in the embedded store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::webhooks::NumberEvent;
use crate::model::{
    AccessNumber, AllocationStrategy, BookedNumber, Booking, BookingId, BookingOwner,
    BookingRequest, Group, ListedBooking, NumberState, PoolUsage, QuarantinedNumber, ServiceId,
    Timestamp,
    webhook::{BookingWebhooks, EventType, WebhookEndpoint},
};

mod allocation;
mod matching;
mod quarantine;
mod sync;

/// A stored booking.
#[derive(Debug, Clone)]
pub(in crate::store::memory) struct BookingRecord {
    pub(super) number: AccessNumber,
    pub(in crate::store::memory) service: ServiceId,
    pub(super) code: Option<String>,
    pub(super) caller: Option<String>,
    until: Timestamp,
    /// The latest expiration, independent of the end of its service.
    max_until: Timestamp,
    pub(super) webhooks: Option<BookingWebhooks>,
}

/// The free and booked numbers of a group.
#[derive(Default)]
pub(in crate::store::memory) struct GroupState {
    version: String,
    numbers: HashMap<String, AccessNumber>,
    order: Vec<String>,
    /// Numbers by the time of their last release or allocation; all except exclusively booked ones.
    free: BTreeSet<(i64, u64, String)>,
    free_keys: HashMap<String, (i64, u64)>,
    next_seq: u64,
    /// The quarantined numbers by subscriber, each with the time in `free` at which it was last used. They are neither in
    /// `numbers` nor in `free`.
    quarantined: HashMap<String, (QuarantinedNumber, Option<i64>)>,
    bookings: HashMap<BookingId, BookingRecord>,
    by_end: BTreeSet<(Timestamp, BookingId)>,
    by_number: BTreeMap<String, BTreeSet<BookingId>>,
    by_code: HashMap<(String, String), BookingId>,
    /// The events of changes since the last `State::add_number_events`.
    pub(super) events: Vec<NumberEvent>,
    /// The time of the last `number.exhausted` of each endpoint.
    pub(super) exhausted_at: HashMap<WebhookEndpoint, Timestamp>,
    /// When a booking last found no free number.
    pub(in crate::store::memory) last_exhausted: Option<Timestamp>,
}

/// The result of an allocation.
pub(in crate::store::memory) enum AllocationResult {
    Allocated(Booking),
    Exhausted(Duration),
}

impl GroupState {
    fn add_free(&mut self, number: &str, used: i64) {
        self.remove_free(number);
        let key = (used, self.next_seq);
        self.next_seq += 1;
        self.free_keys.insert(number.to_owned(), key);
        self.free.insert((key.0, key.1, number.to_owned()));
    }

    fn remove_free(&mut self, number: &str) {
        if let Some((used, seq)) = self.free_keys.remove(number) {
            self.free.remove(&(used, seq, number.to_owned()));
        }
    }

    /// Returns the counts of booked and free numbers.
    pub(in crate::store::memory) fn booked_and_free(&self) -> (usize, usize) {
        (self.bookings.len(), self.free.len())
    }

    /// Returns the number of expired bookings that are not released yet.
    pub(in crate::store::memory) fn count_expired(&self, now: Timestamp) -> u64 {
        let ended = self.by_end.iter();
        ended.take_while(|(until, _)| *until <= now).count() as u64
    }

    /// Releases expired bookings.
    pub(in crate::store::memory) fn reclaim(&mut self, now: Timestamp) {
        while let Some((until, _)) = self.by_end.first()
            && *until <= now
            && let Some((_, booking)) = self.by_end.pop_first()
        {
            self.release(&booking, EventType::NumberLapsed, now);
        }
    }

    pub(in crate::store::memory) fn book_number(
        &mut self,
        group: &Group,
        request: &BookingRequest,
        owner: BookingOwner<'_>,
        until: Timestamp,
        now: Timestamp,
    ) -> AllocationResult {
        self.reclaim(now);
        let id = match owner {
            BookingOwner::NewRepeatable(service, digest) => {
                if let Some(booking) = self.booking_of_request(group, request, service, digest, now)
                {
                    return AllocationResult::Allocated(booking);
                }
                BookingId::generate_for_request(now, digest)
            }
            BookingOwner::New(_) | BookingOwner::Existing(_) => BookingId::generate(now),
        };
        let allocated = match group.strategy {
            AllocationStrategy::Exclusive => self.pick_exclusive(request),
            AllocationStrategy::Random | AllocationStrategy::RoundRobin => {
                self.pick_shared(group, request, now)
            }
        };
        let allocated = allocated.or_else(|| {
            let backup = group.backup.clone()?;
            let code = self.code_for(&backup, request)?;
            Some((backup, code))
        });
        let Some((number, code)) = allocated else {
            self.add_exhausted_event(request);
            self.last_exhausted = Some(now);
            let first = self.by_end.first().map(|(until, _)| until.since(now));
            return AllocationResult::Exhausted(first.unwrap_or(Duration::from_secs(1)));
        };
        let booking = Booking {
            id: id.clone(),
            group: group.name.clone(),
            number: number.text.clone(),
            code: code.clone(),
            expires_in: until.since(now),
            pool: None,
        };
        let entry = BookingRecord {
            number,
            service: owner.id().clone(),
            code,
            caller: request.caller.clone(),
            until,
            max_until: now.after(request.timeout),
            webhooks: request.webhooks.clone(),
        };
        self.add_booking_event(&id, &entry, EventType::NumberBooked);
        self.insert_booking(id, entry);
        let pool = request.include_pool.then(|| self.usage());
        AllocationResult::Allocated(Booking { pool, ..booking })
    }

    /// Returns the booking that another repetition of the request has made for `service`.
    fn booking_of_request(
        &self,
        group: &Group,
        request: &BookingRequest,
        service: &ServiceId,
        digest: &str,
        now: Timestamp,
    ) -> Option<Booking> {
        let suffix = BookingId::suffix_of(digest);
        let (id, entry) = self
            .bookings
            .iter()
            .find(|(id, entry)| entry.service == *service && id.as_str().ends_with(&suffix))?;
        Some(Booking {
            id: id.clone(),
            group: group.name.clone(),
            number: entry.number.text.clone(),
            code: entry.code.clone(),
            expires_in: entry.until.since(now),
            pool: request.include_pool.then(|| self.usage()),
        })
    }

    fn insert_booking(&mut self, id: BookingId, entry: BookingRecord) {
        let subscriber = entry.number.subscriber.clone();
        self.by_end.insert((entry.until, id.clone()));
        let bookings = self.by_number.entry(subscriber.clone()).or_default();
        bookings.insert(id.clone());
        if let Some(code) = &entry.code {
            self.by_code.insert((subscriber, code.clone()), id.clone());
        }
        self.bookings.insert(id, entry);
    }

    /// Releases the number of a booking. Idempotent. `event_type` is the reason; an expired booking has lapsed.
    pub(in crate::store::memory) fn release(
        &mut self,
        id: &BookingId,
        event_type: EventType,
        now: Timestamp,
    ) -> Option<BookingRecord> {
        let entry = self.bookings.remove(id)?;
        let event_type = match event_type {
            EventType::NumberReleased if entry.until <= now => EventType::NumberLapsed,
            other => other,
        };
        self.add_booking_event(id, &entry, event_type);
        let subscriber = &entry.number.subscriber;
        self.by_end.remove(&(entry.until, id.clone()));
        if let Some(code) = &entry.code {
            self.by_code.remove(&(subscriber.clone(), code.clone()));
        }
        let others = self.by_number.get_mut(subscriber).is_some_and(|bookings| {
            bookings.remove(id);
            !bookings.is_empty()
        });
        if !others {
            self.by_number.remove(subscriber);
            let number = &entry.number.text;
            // A shared number remains free while it is booked.
            if self.numbers.contains_key(number) && !self.free_keys.contains_key(number) {
                self.add_free(&number.clone(), now.millis());
            }
        }
        Some(entry)
    }

    /// Updates the expiration of a booking to that of its service.
    pub(in crate::store::memory) fn set_end(&mut self, id: &BookingId, end: Timestamp) {
        if let Some(entry) = self.bookings.get_mut(id) {
            self.by_end.remove(&(entry.until, id.clone()));
            entry.until = entry.max_until.min(end);
            self.by_end.insert((entry.until, id.clone()));
        }
    }

    /// Returns all booked numbers.
    pub(in crate::store::memory) fn booked_numbers(
        &self,
        group: &str,
    ) -> impl Iterator<Item = BookedNumber> {
        self.bookings.values().map(|entry| BookedNumber {
            group: group.to_owned(),
            number: entry.number.text.clone(),
            service: entry.service.clone(),
            until: entry.until,
        })
    }

    /// Returns the numbers that are neither free nor booked.
    pub(in crate::store::memory) fn lost_numbers(&self) -> impl Iterator<Item = &AccessNumber> {
        self.numbers.values().filter(|number| {
            !self.free_keys.contains_key(&number.text)
                && !self.by_number.contains_key(&number.subscriber)
        })
    }

    /// Returns the usage of the group.
    pub(in crate::store::memory) fn usage(&self) -> PoolUsage {
        PoolUsage {
            size: self.numbers.len() as u64,
            free: self.free.len() as u64,
            quarantined: self.quarantined.len() as u64,
        }
    }

    /// Returns a booking.
    pub(in crate::store::memory) fn get(&self, id: &BookingId) -> Option<ListedBooking> {
        self.bookings.get(id).map(|entry| ListedBooking {
            id: id.clone(),
            number: entry.number.text.clone(),
            service: entry.service.clone(),
            caller: entry.caller.clone(),
            has_code: entry.code.is_some(),
            until: entry.until,
        })
    }

    /// Returns the state of a number.
    pub(in crate::store::memory) fn number_state(&self, number: &AccessNumber) -> NumberState {
        let ids = self.by_number.get(&number.subscriber);
        let latest = ids.and_then(BTreeSet::last);
        let quarantined = self.quarantined.get(&number.subscriber);
        let released = match quarantined {
            Some((_, used)) => *used,
            None => self.free_keys.get(&number.text).map(|(used, _)| *used),
        };
        let released = released.filter(|used| *used > 0);
        let released = released.map(Timestamp::from_millis);
        NumberState {
            booking: latest.and_then(|id| self.get(id)),
            bookings: ids.map_or(0, |ids| ids.len().min(NumberState::MAX_COUNTED)),
            last_used: released.max(latest.and_then(BookingId::booked_at)),
            quarantine: quarantined.map(|(listed, _)| listed.quarantine.clone()),
        }
    }

    /// Returns all bookings.
    pub(in crate::store::memory) fn list_bookings(&self) -> impl Iterator<Item = ListedBooking> {
        self.bookings.keys().filter_map(|id| self.get(id))
    }

    /// Returns the bookings of a number, oldest first.
    pub(in crate::store::memory) fn bookings_of_number(
        &self,
        subscriber: &str,
    ) -> impl Iterator<Item = ListedBooking> {
        let bookings = self.by_number.get(subscriber).into_iter().flatten();
        bookings.filter_map(|id| self.get(id))
    }
}
