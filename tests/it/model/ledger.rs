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
use switchboard::store::Moment;

use super::EXCLUSIVE;
use crate::support::bookings::Booked;

/// What a request under way may end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Touch {
    /// Nothing: it makes a service.
    Creating,
    /// Nothing: it asks for a number for this service.
    Asking(String),
    /// A service, and with it all it holds.
    Service(String),
    /// A booking that fits.
    Call(Call),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) number: String,
    pub(super) code: Option<String>,
    pub(super) caller: Option<usize>,
}

/// A request under way.
pub(super) struct Ticket {
    place: u64,
    sent: Moment,
    touch: Touch,
    /// Until when the service that it asks for surely lived when it was sent.
    lived: Option<Moment>,
}

/// A request that was answered.
pub(super) struct Done {
    pub(super) sent: Moment,
    pub(super) answered: Moment,
    lived: Option<Moment>,
}

/// Not before, and not after.
type Span = (Moment, Moment);

#[derive(Debug)]
struct Held {
    service: String,
    group: &'static str,
    call: Call,
    known: Moment,
    ends: Span,
    /// It may be the one that was matched; two of one service look alike.
    doubtful: bool,
}

pub(super) struct Ledger {
    seed: u64,
    timeout: Duration,
    life: Duration,
    numbers: usize,
    services: HashMap<String, Span>,
    /// When those that are over were over at the latest.
    over: HashMap<String, Moment>,
    held: Vec<Held>,
    under_way: HashMap<u64, Touch>,
    next: u64,
    /// Bookings told of each service and number, and matches.
    told: HashMap<(String, String), (u32, u32)>,
    /// Those that were matched before their booking was told.
    early: HashSet<(String, String)>,
    matched: usize,
    unmatched: usize,
}

impl Ledger {
    pub(super) fn new(seed: u64, timeout: Duration, life: Duration, numbers: usize) -> Self {
        Self {
            seed,
            timeout,
            life,
            numbers,
            services: HashMap::new(),
            over: HashMap::new(),
            held: Vec::new(),
            under_way: HashMap::new(),
            next: 0,
            told: HashMap::new(),
            early: HashSet::new(),
            matched: 0,
            unmatched: 0,
        }
    }

    /// Services that were not seen to end.
    pub(super) fn living(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Matches, calls that matched nothing, and services that are over.
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.matched, self.unmatched, self.over.len()]
    }

    /// A call that some booking fits, or fitted.
    pub(super) fn some_call(&self, random: &mut StdRng) -> Option<Call> {
        let mut call = self.held.choose(random)?.call.clone();
        if random.random_bool(0.5) {
            call.code = None;
        }
        if random.random_bool(0.5) {
            call.caller = None;
        }
        Some(call)
    }

    pub(super) fn is_touched(&self, id: &str) -> bool {
        let touch = Touch::Service(id.to_owned());
        self.under_way.values().any(|other| *other == touch)
    }

    pub(super) fn begin(&mut self, touch: Touch) -> Ticket {
        self.next += 1;
        self.under_way.insert(self.next, touch.clone());
        let lived = match &touch {
            // While its end is being moved nobody knows what will be found.
            Touch::Asking(id) if self.is_touched(id) => Some(now()),
            Touch::Asking(id) => self.services.get(id).map(|ends| ends.0),
            _ => None,
        };
        Ticket {
            place: self.next,
            sent: now(),
            touch,
            lived,
        }
    }

    pub(super) fn done(&mut self, ticket: &Ticket) -> Done {
        let touch = self.under_way.remove(&ticket.place);
        assert_eq!(touch.as_ref(), Some(&ticket.touch));
        Done {
            sent: ticket.sent,
            answered: now(),
            lived: ticket.lived,
        }
    }

    /// Whether a service surely lived all the while.
    fn surely_lived(&self, done: &Done, id: &str) -> bool {
        let ends = self.services.get(id);
        ends.is_some_and(|ends| ends.0 > done.answered) && !self.is_touched(id)
    }

    /// Whether a booking surely stood all the while.
    fn surely_stood(&self, done: &Done, held: &Held) -> bool {
        let touched = self.under_way.values().any(|touch| match touch {
            Touch::Call(call) => fits(&held.call, call),
            _ => false,
        });
        let standing = held.known < done.sent && held.ends.0 > done.answered;
        standing && !held.doubtful && !touched && self.surely_lived(done, &held.service)
    }

    pub(super) fn made(&mut self, done: &Done, id: &str) {
        let ends = (done.sent.after(self.life), done.answered.after(self.life));
        let before = self.services.insert(id.to_owned(), ends);
        assert_eq!(before, None, "one id for two services, seed {}", self.seed);
    }

    pub(super) fn booked(
        &mut self,
        done: &Done,
        id: &str,
        group: &'static str,
        booked: &Booked,
        caller: Option<usize>,
    ) {
        let call = Call {
            number: booked.number.clone(),
            code: booked.code.clone(),
            caller,
        };
        let standing: Vec<&Held> = self
            .held
            .iter()
            .filter(|held| held.group == group && self.surely_stood(done, held))
            .collect();
        let same = standing
            .iter()
            .filter(|held| held.call.number == call.number);
        for other in same {
            assert_ne!(
                group, EXCLUSIVE,
                "held by {other:?} and {id}, seed {}",
                self.seed
            );
            let alike = call.code.is_some() && other.call.code == call.code;
            assert!(!alike, "the code of {other:?} and {id}, seed {}", self.seed);
        }
        if group == EXCLUSIVE {
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
        let at_least = done.lived.map_or(longest.0, |lived| lived.min(longest.0));
        let place = (id.to_owned(), call.number.clone());
        self.told.entry(place.clone()).or_default().0 += 1;
        if self.services.contains_key(id) {
            self.held.push(Held {
                service: id.to_owned(),
                group,
                call,
                known: done.answered,
                ends: (at_least, longest.1),
                doubtful: self.early.contains(&place),
            });
        }
        self.check_matches(id, &booked.number);
    }

    /// No service is matched more often than it was given the number.
    fn check_matches(&self, id: &str, number: &str) {
        let (told, matched) = self.told[&(id.to_owned(), number.to_owned())];
        let unanswered = self.under_way.values().filter(|touch| match touch {
            Touch::Creating => told == 0,
            Touch::Asking(asking) => asking == id,
            _ => false,
        });
        let most = told + u32::try_from(unanswered.count()).unwrap();
        assert!(
            matched <= most,
            "{id} was matched {matched} times, seed {}",
            self.seed
        );
    }

    pub(super) fn matched(&mut self, done: &Done, call: &Call, id: &str) {
        self.matched += 1;
        if let Some(over) = self.over.get(id) {
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
        self.told.entry(place.clone()).or_default().1 += 1;
        self.check_matches(id, &call.number);

        let (fitting, others): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.service == id && fits(&held.call, call));
        self.held = others;
        // It may also have been one that the service has got, and nobody has been told of yet.
        let asking = Touch::Asking(id.to_owned());
        let unseen = self.under_way.values().any(|touch| *touch == asking);
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
            self.early.insert(place);
        }
        let doubtful = fitting.into_iter().map(|held| Held {
            doubtful: true,
            ..held
        });
        self.held.extend(doubtful);
    }

    pub(super) fn not_matched(&mut self, done: &Done, call: &Call) {
        self.unmatched += 1;
        let missed = self
            .held
            .iter()
            .find(|held| fits(&held.call, call) && self.surely_stood(done, held));
        assert!(
            missed.is_none(),
            "{call:?} misses {missed:?}, seed {}",
            self.seed
        );
        // Calls are made of these; those that have run out are not needed for ever.
        let past = Moment::from_millis(done.sent.millis() - 1_000);
        self.held.retain(|held| held.ends.1 > past);
    }

    pub(super) fn not_found(&mut self, done: &Done, id: &str) {
        assert!(
            !self.surely_lived(done, id),
            "{id} is lost, seed {}",
            self.seed
        );
        if self
            .services
            .get(id)
            .is_some_and(|ends| ends.1 < done.answered)
        {
            self.ended(done, id);
        }
    }

    pub(super) fn ended(&mut self, done: &Done, id: &str) {
        self.services.remove(id);
        self.held.retain(|held| held.service != id);
        self.over.entry(id.to_owned()).or_insert(done.answered);
    }

    pub(super) fn moved(&mut self, id: &str, ends: Span) {
        if let Some(service) = self.services.get_mut(id) {
            *service = ends;
        }
    }
}

/// Whether a booking made for `held` fits a call.
fn fits(held: &Call, call: &Call) -> bool {
    held.number == call.number
        && (call.code.is_none() || held.code == call.code)
        && (call.caller.is_none() || held.caller == call.caller)
}
