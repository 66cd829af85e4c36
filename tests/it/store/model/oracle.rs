//! The oracle: derives from the responses which results are possible.
//!
//! A booking is certain from its response on, until a request is sent that may end it. Times are
//! intervals: a service with a TTL of six seconds ends six seconds after some time between request and
//! response.

use crate::support::now;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use switchboard::model::Timestamp;

use super::{EXCLUSIVE_GROUP, area_oracle::CLOCK_ERROR};
use crate::support::bookings::Booked;

/// The effect that a pending request may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// Creates a service; ends nothing.
    Create,
    /// Books a number for this service; ends nothing.
    BookNumber(String),
    /// May end this service and all its bookings.
    Service(String),
    /// May end a matching booking.
    Call(Match),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) number: String,
    pub(super) code: Option<String>,
    pub(super) caller: Option<usize>,
}

/// A request in progress.
pub(super) struct PendingRequest {
    id: u64,
    sent: Timestamp,
    operation: Operation,
    /// The time until which its service was certainly active when it was sent.
    alive_until: Option<Timestamp>,
}

/// A request with a response.
pub(super) struct CompletedRequest {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    alive_until: Option<Timestamp>,
}

/// The earliest and the latest time.
type TimeRange = (Timestamp, Timestamp);

#[derive(Debug)]
struct ModelBooking {
    service: String,
    group: &'static str,
    call: Match,
    known_since: Timestamp,
    ends: TimeRange,
    /// Whether it may have been matched; bookings of one service may be indistinguishable.
    is_uncertain: bool,
}

pub(super) struct Oracle {
    seed: u64,
    timeout: Duration,
    ttl: Duration,
    numbers: usize,
    services: HashMap<String, TimeRange>,
    /// The latest possible end of each ended service.
    ended: HashMap<String, Timestamp>,
    bookings: Vec<ModelBooking>,
    in_flight: HashMap<u64, Operation>,
    next_id: u64,
    /// The numbers of reported bookings and of matches by service and number.
    reported: HashMap<(String, String), (u32, u32)>,
    /// Services and numbers that were matched before their booking was reported.
    early_matches: HashSet<(String, String)>,
    matched: usize,
    unmatched: usize,
}

impl Oracle {
    pub(super) fn new(seed: u64, timeout: Duration, ttl: Duration, numbers: usize) -> Self {
        Self {
            seed,
            timeout,
            ttl,
            numbers,
            services: HashMap::new(),
            ended: HashMap::new(),
            bookings: Vec::new(),
            in_flight: HashMap::new(),
            next_id: 0,
            reported: HashMap::new(),
            early_matches: HashSet::new(),
            matched: 0,
            unmatched: 0,
        }
    }

    /// Returns the services whose end has not been observed.
    pub(super) fn active_services(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Returns the numbers of matches, unmatched calls and ended services.
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.matched, self.unmatched, self.ended.len()]
    }

    /// Returns a call that matches, or matched, some booking.
    pub(super) fn random_call(&self, random: &mut StdRng) -> Option<Match> {
        let mut call = self.bookings.choose(random)?.call.clone();
        if random.random_bool(0.5) {
            call.code = None;
        }
        if random.random_bool(0.5) {
            call.caller = None;
        }
        Some(call)
    }

    pub(super) fn is_in_flight(&self, id: &str) -> bool {
        let operation = Operation::Service(id.to_owned());
        self.in_flight.values().any(|other| *other == operation)
    }

    pub(super) fn start(&mut self, operation: Operation) -> PendingRequest {
        self.next_id += 1;
        self.in_flight.insert(self.next_id, operation.clone());
        let alive_until = match &operation {
            // During a concurrent change of its end the result is undetermined.
            Operation::BookNumber(id) if self.is_in_flight(id) => Some(now()),
            Operation::BookNumber(id) => self.services.get(id).map(|ends| ends.0),
            _ => None,
        };
        PendingRequest {
            id: self.next_id,
            sent: now(),
            operation,
            alive_until,
        }
    }

    pub(super) fn finish(&mut self, pending: &PendingRequest) -> CompletedRequest {
        let operation = self.in_flight.remove(&pending.id);
        assert_eq!(operation.as_ref(), Some(&pending.operation));
        CompletedRequest {
            sent: pending.sent,
            answered: now(),
            alive_until: pending.alive_until,
        }
    }

    /// Whether a service was certainly active during the request.
    fn was_certainly_alive(&self, completed: &CompletedRequest, id: &str) -> bool {
        let ends = self.services.get(id);
        ends.is_some_and(|ends| ends.0 > completed.answered) && !self.is_in_flight(id)
    }

    /// Whether a booking was certainly active during the request.
    fn was_certainly_booked(&self, completed: &CompletedRequest, booking: &ModelBooking) -> bool {
        let is_contended = self.in_flight.values().any(|operation| match operation {
            Operation::Call(call) => matches_call(&booking.call, call),
            _ => false,
        });
        let is_active = booking.known_since < completed.sent && booking.ends.0 > completed.answered;
        is_active
            && !booking.is_uncertain
            && !is_contended
            && self.was_certainly_alive(completed, &booking.service)
    }

    pub(super) fn record_create(&mut self, completed: &CompletedRequest, id: &str) {
        let ends = ends_after(completed, self.ttl);
        let previous = self.services.insert(id.to_owned(), ends);
        assert_eq!(
            previous, None,
            "one id for two services, seed {}",
            self.seed
        );
    }

    pub(super) fn record_booking(
        &mut self,
        completed: &CompletedRequest,
        id: &str,
        group: &'static str,
        booked: &Booked,
        caller: Option<usize>,
    ) {
        let call = Match {
            number: booked.number.clone(),
            code: booked.code.clone(),
            caller,
        };
        let active: Vec<&ModelBooking> = self
            .bookings
            .iter()
            .filter(|booking| {
                booking.group == group && self.was_certainly_booked(completed, booking)
            })
            .collect();
        let same = active
            .iter()
            .filter(|booking| booking.call.number == call.number);
        for other in same {
            assert_ne!(
                group, EXCLUSIVE_GROUP,
                "booked for {other:?} and {id}, seed {}",
                self.seed
            );
            let same_code = call.code.is_some() && other.call.code == call.code;
            assert!(
                !same_code,
                "one code for {other:?} and {id}, seed {}",
                self.seed
            );
        }
        if group == EXCLUSIVE_GROUP {
            let mut booked_numbers: BTreeSet<&str> =
                active.iter().map(|booking| &*booking.call.number).collect();
            booked_numbers.insert(&call.number);
            let free = booked.count("_pool_free");
            let max = (self.numbers - booked_numbers.len()) as u64;
            assert!(
                free <= max,
                "{free} free, {booked_numbers:?} booking, seed {}",
                self.seed
            );
        }
        let max_end = ends_after(completed, self.timeout);
        let min_end = completed
            .alive_until
            .map_or(max_end.0, |alive_until| alive_until.min(max_end.0));
        let key = (id.to_owned(), call.number.clone());
        self.reported.entry(key.clone()).or_default().0 += 1;
        if self.services.contains_key(id) {
            self.bookings.push(ModelBooking {
                service: id.to_owned(),
                group,
                call,
                known_since: completed.answered,
                ends: (min_end, max_end.1),
                is_uncertain: self.early_matches.contains(&key),
            });
        }
        self.check_matches(id, &booked.number);
    }

    /// Asserts that a service is not matched more often than it had a booking of the number.
    fn check_matches(&self, id: &str, number: &str) {
        let (reported, matched) = self.reported[&(id.to_owned(), number.to_owned())];
        let pending = self.in_flight.values().filter(|operation| match operation {
            Operation::Create => reported == 0,
            Operation::BookNumber(service) => service == id,
            _ => false,
        });
        let max = reported + u32::try_from(pending.count()).unwrap();
        assert!(
            matched <= max,
            "{id} was matched {matched} times, seed {}",
            self.seed
        );
    }

    pub(super) fn matched(&mut self, completed: &CompletedRequest, call: &Match, id: &str) {
        self.matched += 1;
        if let Some(ended_at) = self.ended.get(id) {
            assert!(
                *ended_at >= completed.sent,
                "{id} had ended at {ended_at}, seed {}",
                self.seed
            );
        }
        let ends = self.services.get(id).map_or(completed.sent, |ends| ends.1);
        assert!(
            ends >= completed.sent,
            "{id} ended at {ends}, seed {}",
            self.seed
        );
        let key = (id.to_owned(), call.number.clone());
        self.reported.entry(key.clone()).or_default().1 += 1;
        self.check_matches(id, &call.number);

        let (matching, others): (Vec<ModelBooking>, Vec<ModelBooking>) =
            std::mem::take(&mut self.bookings)
                .into_iter()
                .partition(|booking| booking.service == id && matches_call(&booking.call, call));
        self.bookings = others;
        // The matched booking may also be one that has not been reported yet.
        let book_number = Operation::BookNumber(id.to_owned());
        let is_unreported = self
            .in_flight
            .values()
            .any(|operation| *operation == book_number);
        if matching.len() == 1 && !is_unreported {
            let ends = matching[0].ends.1;
            assert!(
                ends >= completed.sent,
                "the booking expired at {ends}, seed {}",
                self.seed
            );
            return;
        }
        if matching.is_empty() || is_unreported {
            self.early_matches.insert(key);
        }
        let uncertain = matching.into_iter().map(|booking| ModelBooking {
            is_uncertain: true,
            ..booking
        });
        self.bookings.extend(uncertain);
    }

    pub(super) fn record_no_match(&mut self, completed: &CompletedRequest, call: &Match) {
        self.unmatched += 1;
        let missed = self.bookings.iter().find(|booking| {
            matches_call(&booking.call, call) && self.was_certainly_booked(completed, booking)
        });
        assert!(
            missed.is_none(),
            "{call:?} misses {missed:?}, seed {}",
            self.seed
        );
        // These bookings are the source of calls; expired ones are dropped.
        let cutoff = Timestamp::from_millis(completed.sent.millis() - 1_000);
        self.bookings.retain(|booking| booking.ends.1 > cutoff);
    }

    pub(super) fn record_not_found(&mut self, completed: &CompletedRequest, id: &str) {
        assert!(
            !self.was_certainly_alive(completed, id),
            "{id} is lost, seed {}",
            self.seed
        );
        if self
            .services
            .get(id)
            .is_some_and(|ends| ends.1 < completed.answered)
        {
            self.record_end(completed, id);
        }
    }

    pub(super) fn record_end(&mut self, completed: &CompletedRequest, id: &str) {
        self.services.remove(id);
        self.bookings.retain(|booking| booking.service != id);
        self.ended
            .entry(id.to_owned())
            .or_insert(completed.answered);
    }

    pub(super) fn record_set_end(&mut self, id: &str, ends: TimeRange) {
        if let Some(service) = self.services.get_mut(id) {
            *service = ends;
        }
    }
}

/// The earliest and the latest end after this time from the request on.
pub(super) fn ends_after(completed: &CompletedRequest, ttl: Duration) -> TimeRange {
    let earliest = completed.sent.after(ttl.saturating_sub(CLOCK_ERROR));
    (earliest, completed.answered.after(ttl + CLOCK_ERROR))
}

/// Whether a booking with the data `booked` matches a call.
fn matches_call(booked: &Match, call: &Match) -> bool {
    booked.number == call.number
        && (call.code.is_none() || booked.code == call.code)
        && (call.caller.is_none() || booked.caller == call.caller)
}
