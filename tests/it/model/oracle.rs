//! What clients know from what they were told, and what must therefore hold.
//!
//! A client knows a booking from the answer on, and knows that it stands for as long as nobody has
//! sent anything that may end it. Times are kept as spans: a service that was asked to live for six
//! seconds ends six seconds after some moment between request and answer.

use crate::support::now;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use switchboard::store::Timestamp;

use super::EXCLUSIVE_GROUP;
use crate::support::bookings::Booked;

/// What a request under way may end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// Nothing: it makes a service.
    Create,
    /// Nothing: it asks for a number for this service.
    BookNumber(String),
    /// A service, and with it all it holds.
    Service(String),
    /// A booking that fits.
    Call(Match),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) number: String,
    pub(super) code: Option<String>,
    pub(super) caller: Option<usize>,
}

/// A request under way.
pub(super) struct PendingRequest {
    id: u64,
    sent: Timestamp,
    operation: Operation,
    /// Until when the service that it asks for surely lived when it was sent.
    alive_until: Option<Timestamp>,
}

/// A request that was answered.
pub(super) struct CompletedRequest {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    alive_until: Option<Timestamp>,
}

/// Not before, and not after.
type TimeRange = (Timestamp, Timestamp);

#[derive(Debug)]
struct ModelBooking {
    service: String,
    group: &'static str,
    call: Match,
    known_since: Timestamp,
    ends: TimeRange,
    /// It may be the one that was matched; two of one service look alike.
    is_uncertain: bool,
}

pub(super) struct Oracle {
    seed: u64,
    timeout: Duration,
    ttl: Duration,
    numbers: usize,
    services: HashMap<String, TimeRange>,
    /// When those that are over were over at the latest.
    ended: HashMap<String, Timestamp>,
    bookings: Vec<ModelBooking>,
    in_flight: HashMap<u64, Operation>,
    next_id: u64,
    /// Bookings told of each service and number, and matches.
    reported: HashMap<(String, String), (u32, u32)>,
    /// Those that were matched before their booking was told.
    early_matches: HashSet<(String, String)>,
    matched: usize,
    unmatched: usize,
}

impl Oracle {
    pub(super) fn new(seed: u64, timeout: Duration, life: Duration, numbers: usize) -> Self {
        Self {
            seed,
            timeout,
            ttl: life,
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

    /// Services that were not seen to end.
    pub(super) fn active_services(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Matches, calls that matched nothing, and services that are over.
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.matched, self.unmatched, self.ended.len()]
    }

    /// A call that some booking fits, or fitted.
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
        let touch = Operation::Service(id.to_owned());
        self.in_flight.values().any(|other| *other == touch)
    }

    pub(super) fn start(&mut self, touch: Operation) -> PendingRequest {
        self.next_id += 1;
        self.in_flight.insert(self.next_id, touch.clone());
        let lived = match &touch {
            // While its end is being moved nobody knows what will be found.
            Operation::BookNumber(id) if self.is_in_flight(id) => Some(now()),
            Operation::BookNumber(id) => self.services.get(id).map(|ends| ends.0),
            _ => None,
        };
        PendingRequest {
            id: self.next_id,
            sent: now(),
            operation: touch,
            alive_until: lived,
        }
    }

    pub(super) fn finish(&mut self, ticket: &PendingRequest) -> CompletedRequest {
        let touch = self.in_flight.remove(&ticket.id);
        assert_eq!(touch.as_ref(), Some(&ticket.operation));
        CompletedRequest {
            sent: ticket.sent,
            answered: now(),
            alive_until: ticket.alive_until,
        }
    }

    /// Whether a service surely lived all the while.
    fn was_certainly_alive(&self, done: &CompletedRequest, id: &str) -> bool {
        let ends = self.services.get(id);
        ends.is_some_and(|ends| ends.0 > done.answered) && !self.is_in_flight(id)
    }

    /// Whether a booking surely stood all the while.
    fn was_certainly_booked(&self, done: &CompletedRequest, held: &ModelBooking) -> bool {
        let touched = self.in_flight.values().any(|touch| match touch {
            Operation::Call(call) => matches_call(&held.call, call),
            _ => false,
        });
        let standing = held.known_since < done.sent && held.ends.0 > done.answered;
        standing && !held.is_uncertain && !touched && self.was_certainly_alive(done, &held.service)
    }

    pub(super) fn record_create(&mut self, done: &CompletedRequest, id: &str) {
        let ends = (done.sent.after(self.ttl), done.answered.after(self.ttl));
        let before = self.services.insert(id.to_owned(), ends);
        assert_eq!(before, None, "one id for two services, seed {}", self.seed);
    }

    pub(super) fn record_booking(
        &mut self,
        done: &CompletedRequest,
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
        let standing: Vec<&ModelBooking> = self
            .bookings
            .iter()
            .filter(|held| held.group == group && self.was_certainly_booked(done, held))
            .collect();
        let same = standing
            .iter()
            .filter(|held| held.call.number == call.number);
        for other in same {
            assert_ne!(
                group, EXCLUSIVE_GROUP,
                "held by {other:?} and {id}, seed {}",
                self.seed
            );
            let alike = call.code.is_some() && other.call.code == call.code;
            assert!(!alike, "the code of {other:?} and {id}, seed {}", self.seed);
        }
        if group == EXCLUSIVE_GROUP {
            let mut taken: BTreeSet<&str> =
                standing.iter().map(|held| &*held.call.number).collect();
            taken.insert(&call.number);
            let free = booked.count("_pool_free");
            let most = (self.numbers - taken.len()) as u64;
            assert!(
                free <= most,
                "{free} free, {taken:?} held, seed {}",
                self.seed
            );
        }
        let longest = (
            done.sent.after(self.timeout),
            done.answered.after(self.timeout),
        );
        let at_least = done
            .alive_until
            .map_or(longest.0, |lived| lived.min(longest.0));
        let place = (id.to_owned(), call.number.clone());
        self.reported.entry(place.clone()).or_default().0 += 1;
        if self.services.contains_key(id) {
            self.bookings.push(ModelBooking {
                service: id.to_owned(),
                group,
                call,
                known_since: done.answered,
                ends: (at_least, longest.1),
                is_uncertain: self.early_matches.contains(&place),
            });
        }
        self.check_matches(id, &booked.number);
    }

    /// No service is matched more often than it was given the number.
    fn check_matches(&self, id: &str, number: &str) {
        let (told, record_match) = self.reported[&(id.to_owned(), number.to_owned())];
        let unanswered = self.in_flight.values().filter(|touch| match touch {
            Operation::Create => told == 0,
            Operation::BookNumber(asking) => asking == id,
            _ => false,
        });
        let most = told + u32::try_from(unanswered.count()).unwrap();
        assert!(
            record_match <= most,
            "{id} was matched {record_match} times, seed {}",
            self.seed
        );
    }

    pub(super) fn matched(&mut self, done: &CompletedRequest, call: &Match, id: &str) {
        self.matched += 1;
        if let Some(over) = self.ended.get(id) {
            assert!(
                *over >= done.sent,
                "{id} was over at {over}, seed {}",
                self.seed
            );
        }
        let ends = self.services.get(id).map_or(done.sent, |ends| ends.1);
        assert!(
            ends >= done.sent,
            "{id} ended at {ends}, seed {}",
            self.seed
        );
        let place = (id.to_owned(), call.number.clone());
        self.reported.entry(place.clone()).or_default().1 += 1;
        self.check_matches(id, &call.number);

        let (fitting, others): (Vec<ModelBooking>, Vec<ModelBooking>) =
            std::mem::take(&mut self.bookings)
                .into_iter()
                .partition(|held| held.service == id && matches_call(&held.call, call));
        self.bookings = others;
        // It may also have been one that the service has got, and nobody has been told of yet.
        let asking = Operation::BookNumber(id.to_owned());
        let unseen = self.in_flight.values().any(|touch| *touch == asking);
        if fitting.len() == 1 && !unseen {
            let ends = fitting[0].ends.1;
            assert!(
                ends >= done.sent,
                "it ran out at {ends}, seed {}",
                self.seed
            );
            return;
        }
        if fitting.is_empty() || unseen {
            self.early_matches.insert(place);
        }
        let doubtful = fitting.into_iter().map(|held| ModelBooking {
            is_uncertain: true,
            ..held
        });
        self.bookings.extend(doubtful);
    }

    pub(super) fn record_no_match(&mut self, done: &CompletedRequest, call: &Match) {
        self.unmatched += 1;
        let missed = self
            .bookings
            .iter()
            .find(|held| matches_call(&held.call, call) && self.was_certainly_booked(done, held));
        assert!(
            missed.is_none(),
            "{call:?} misses {missed:?}, seed {}",
            self.seed
        );
        // Calls are made of these; those that have run out are not needed for ever.
        let past = Timestamp::from_millis(done.sent.millis() - 1_000);
        self.bookings.retain(|held| held.ends.1 > past);
    }

    pub(super) fn record_not_found(&mut self, done: &CompletedRequest, id: &str) {
        assert!(
            !self.was_certainly_alive(done, id),
            "{id} is lost, seed {}",
            self.seed
        );
        if self
            .services
            .get(id)
            .is_some_and(|ends| ends.1 < done.answered)
        {
            self.record_end(done, id);
        }
    }

    pub(super) fn record_end(&mut self, done: &CompletedRequest, id: &str) {
        self.services.remove(id);
        self.bookings.retain(|held| held.service != id);
        self.ended.entry(id.to_owned()).or_insert(done.answered);
    }

    pub(super) fn record_set_end(&mut self, id: &str, ends: TimeRange) {
        if let Some(service) = self.services.get_mut(id) {
            *service = ends;
        }
    }
}

/// Whether a booking made for `held` fits a call.
fn matches_call(held: &Match, call: &Match) -> bool {
    held.number == call.number
        && (call.code.is_none() || held.code == call.code)
        && (call.caller.is_none() || held.caller == call.caller)
}
