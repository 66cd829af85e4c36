//! The books of one resource group in the embedded store.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    time::Duration,
};

use rand::RngExt;

use crate::store::{
    AccessNumber, AllocationStrategy, BookedNumber, Booking, BookingId, BookingRequest, Call,
    Group, ListedBooking, PoolUsage, ServiceId, Timestamp,
};

/// Codes tried for one number.
const MAX_CODES_TRIED: usize = 256;
/// Numbers tried for a code, where they are shared.
const MAX_NUMBERS_TRIED: usize = 5;

/// A booking in the books.
#[derive(Debug, Clone)]
pub(super) struct BookingRecord {
    number: AccessNumber,
    pub(super) service: ServiceId,
    code: Option<String>,
    caller: Option<String>,
    until: Timestamp,
    /// The longest it may ever hold, whatever its service does.
    max_until: Timestamp,
}

/// Numbers of a group, free or held.
#[derive(Default)]
pub(super) struct GroupState {
    version: String,
    numbers: HashMap<String, AccessNumber>,
    order: Vec<String>,
    /// Numbers by when they were last given back or handed out; all but those held exclusively.
    free: BTreeSet<(i64, u64, String)>,
    free_keys: HashMap<String, (i64, u64)>,
    next_seq: u64,
    bookings: HashMap<BookingId, BookingRecord>,
    by_end: BTreeSet<(Timestamp, BookingId)>,
    by_number: BTreeMap<String, BTreeSet<BookingId>>,
    by_code: HashMap<(String, String), BookingId>,
}

/// What a wish came to.
pub(super) enum AllocationResult {
    Allocated(Booking),
    Exhausted(Duration),
}

impl GroupState {
    /// Makes the group consist of its numbers. Those that are held stay held; those that are no longer in
    /// it come back no more.
    pub(super) fn sync_group(&mut self, group: &Group) {
        if self.version == group.version {
            return;
        }
        self.version.clone_from(&group.version);
        let before = mem::take(&mut self.numbers);
        self.order = group.numbers.iter().map(|one| one.text.clone()).collect();
        for number in &group.numbers {
            self.numbers.insert(number.text.clone(), number.clone());
            let held = self.by_number.contains_key(&number.subscriber);
            if !before.contains_key(&number.text) && !held {
                self.add_free(&number.text, 0);
            }
        }
        for gone in before.keys() {
            if !self.numbers.contains_key(gone) {
                self.remove_free(gone);
            }
        }
        // Whoever holds one gives it back as it is written now.
        let numbers = group.numbers.iter();
        let written: HashMap<_, _> = numbers.map(|one| (&one.subscriber, one)).collect();
        for entry in self.bookings.values_mut() {
            if let Some(now) = written.get(&entry.number.subscriber) {
                entry.number = (*now).clone();
            }
        }
    }

    fn add_free(&mut self, number: &str, used: i64) {
        self.remove_free(number);
        let place = (used, self.next_seq);
        self.next_seq += 1;
        self.free_keys.insert(number.to_owned(), place);
        self.free.insert((place.0, place.1, number.to_owned()));
    }

    fn remove_free(&mut self, number: &str) {
        if let Some((used, turn)) = self.free_keys.remove(number) {
            self.free.remove(&(used, turn, number.to_owned()));
        }
    }

    /// How many numbers are held, and how many are free.
    pub(super) fn booked_and_free(&self) -> (usize, usize) {
        (self.bookings.len(), self.free.len())
    }

    /// Gives back what has run out.
    pub(super) fn reclaim(&mut self, now: Timestamp) {
        while let Some((until, _)) = self.by_end.first()
            && *until <= now
            && let Some((_, booking)) = self.by_end.pop_first()
        {
            self.release(&booking, now);
        }
    }

    pub(super) fn book_number(
        &mut self,
        group: &Group,
        request: &BookingRequest,
        service: &ServiceId,
        until: Timestamp,
        now: Timestamp,
    ) -> AllocationResult {
        self.reclaim(now);
        let picked = match group.strategy {
            AllocationStrategy::Exclusive => self.pick_exclusive(request),
            AllocationStrategy::Random | AllocationStrategy::RoundRobin => {
                self.pick_shared(group, request, now)
            }
        };
        let picked = picked.or_else(|| {
            let backup = group.backup.clone()?;
            let code = self.code_for(&backup, request)?;
            Some((backup, code))
        });
        let Some((number, code)) = picked else {
            let first = self.by_end.first().map(|(until, _)| until.since(now));
            return AllocationResult::Exhausted(first.unwrap_or(Duration::from_secs(1)));
        };
        let id = BookingId::generate(now);
        let told = Booking {
            id: id.clone(),
            group: group.name.clone(),
            number: number.text.clone(),
            code: code.clone(),
            expires_in: until.since(now),
            pool: None,
        };
        let entry = BookingRecord {
            number,
            service: service.clone(),
            code,
            caller: request.caller.clone(),
            until,
            max_until: now.after(request.timeout),
        };
        self.insert_booking(id, entry);
        let pool = request.include_pool.then(|| self.usage());
        AllocationResult::Allocated(Booking { pool, ..told })
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

    fn pick_exclusive(
        &mut self,
        request: &BookingRequest,
    ) -> Option<(AccessNumber, Option<String>)> {
        loop {
            let (_, _, text) = self.free.first()?.clone();
            let number = self.numbers.get(&text)?.clone();
            // Still shared from when the group was: it is free when it has been given back.
            if self.by_number.contains_key(&number.subscriber) {
                self.remove_free(&text);
                continue;
            }
            let code = self.code_for(&number, request)?;
            self.remove_free(&text);
            return Some((number, code));
        }
    }

    fn pick_shared(
        &mut self,
        group: &Group,
        request: &BookingRequest,
        now: Timestamp,
    ) -> Option<(AccessNumber, Option<String>)> {
        for _ in 0..MAX_NUMBERS_TRIED {
            let text = match group.strategy {
                AllocationStrategy::Random if !self.order.is_empty() => {
                    self.order[rand::rng().random_range(0..self.order.len())].clone()
                }
                _ => self.free.first()?.2.clone(),
            };
            self.add_free(&text, now.millis());
            let number = self.numbers.get(&text)?.clone();
            if let Some(code) = self.code_for(&number, request) {
                return Some((number, code));
            }
        }
        None
    }

    /// A code that no other booking of the number has: outer `None` where there is none.
    #[expect(
        clippy::option_option,
        reason = "no code wanted is not the same as none free"
    )]
    fn code_for(&self, number: &AccessNumber, request: &BookingRequest) -> Option<Option<String>> {
        let Some(codes) = &request.codes else {
            return Some(None);
        };
        let taken = |code: &String| {
            let place = (number.subscriber.clone(), code.clone());
            self.by_code.contains_key(&place)
        };
        let mut candidates = codes.candidates(MAX_CODES_TRIED).into_iter();
        candidates.find(|code| !taken(code)).map(Some)
    }

    /// Gives the number of a booking back; a second time it does nothing.
    pub(super) fn release(&mut self, id: &BookingId, now: Timestamp) -> Option<BookingRecord> {
        let entry = self.bookings.remove(id)?;
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
            if self.numbers.contains_key(&entry.number.text) {
                self.add_free(&entry.number.text.clone(), now.millis());
            }
        }
        Some(entry)
    }

    /// The newest booking that fits a call, of a service that lives: one that does not may be about
    /// to be made.
    pub(super) fn match_booking(
        &self,
        call: &Call,
        now: Timestamp,
        lives: impl Fn(&ServiceId) -> bool,
    ) -> Option<BookingId> {
        let is_caller = |entry: &BookingRecord| {
            let caller = entry.caller.as_ref();
            caller.is_some_and(|caller| call.callers.contains(caller))
        };
        let fits = |id: &&BookingId| {
            self.bookings.get(*id).is_some_and(|entry| {
                entry.until > now
                    && (call.code.is_none() || entry.code == call.code)
                    && (call.callers.is_empty() || is_caller(entry))
                    && lives(&entry.service)
            })
        };
        let dialled = call.dialed.iter();
        let numbers = dialled.filter_map(|number| self.by_number.get(number));
        let newest = numbers.filter_map(|bookings| bookings.iter().rev().find(fits));
        newest.max().cloned()
    }

    /// Moves the end of a booking with that of its service.
    pub(super) fn set_end(&mut self, id: &BookingId, end: Timestamp) {
        if let Some(entry) = self.bookings.get_mut(id) {
            self.by_end.remove(&(entry.until, id.clone()));
            entry.until = entry.max_until.min(end);
            self.by_end.insert((entry.until, id.clone()));
        }
    }

    /// Everything that is held.
    pub(super) fn booked_numbers(&self, group: &str) -> impl Iterator<Item = BookedNumber> {
        self.bookings.values().map(|entry| BookedNumber {
            group: group.to_owned(),
            number: entry.number.text.clone(),
            service: entry.service.clone(),
            until: entry.until,
        })
    }

    /// Numbers that are neither free nor held.
    pub(super) fn lost_numbers(&self) -> impl Iterator<Item = &AccessNumber> {
        self.numbers.values().filter(|number| {
            !self.free_keys.contains_key(&number.text)
                && !self.by_number.contains_key(&number.subscriber)
        })
    }

    /// The numbers, in figures.
    pub(super) fn usage(&self) -> PoolUsage {
        PoolUsage {
            size: self.numbers.len() as u64,
            free: self.free.len() as u64,
        }
    }

    /// One booking, for an operator.
    pub(super) fn get(&self, id: &BookingId) -> Option<ListedBooking> {
        self.bookings.get(id).map(|entry| ListedBooking {
            id: id.clone(),
            number: entry.number.text.clone(),
            service: entry.service.clone(),
            caller: entry.caller.clone(),
            has_code: entry.code.is_some(),
            until: entry.until,
        })
    }

    /// All bookings.
    pub(super) fn list_bookings(&self) -> impl Iterator<Item = ListedBooking> {
        self.bookings.keys().filter_map(|id| self.get(id))
    }

    /// Bookings of a number, oldest first.
    pub(super) fn bookings_of_number(
        &self,
        subscriber: &str,
    ) -> impl Iterator<Item = ListedBooking> {
        let bookings = self.by_number.get(subscriber).into_iter().flatten();
        bookings.filter_map(|id| self.get(id))
    }
}
