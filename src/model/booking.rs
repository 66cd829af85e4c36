//! Access numbers and bookings. A *booking* reserves a number for a service for a limited time.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, seq::index};
use uuid::Uuid;

use super::{ServiceId, Timestamp, webhook::BookingWebhooks};

/// A number that callers dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNumber {
    /// The number as it is configured and returned to apps.
    pub text: String,
    /// The subscriber: equal for all spellings of a number.
    pub subscriber: String,
}

/// How a group allocates its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocationStrategy {
    /// Any number, to any number of services at once.
    Random,
    /// The least recently used number, to any number of services at once.
    RoundRobin,
    /// The least recently used number, to one service at a time. Both `CLUSTER` and `LOCAL`: all
    /// replicas share the numbers.
    Exclusive,
}

/// A named set of access numbers.
#[derive(Debug)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The allocation strategy.
    pub strategy: AllocationStrategy,
    /// The numbers, with unique subscribers. Unused numbers are allocated in this order.
    pub numbers: Vec<AccessNumber>,
    /// The number that any number of services get when no other is free.
    pub backup: Option<AccessNumber>,
    /// Identifies this set of numbers.
    pub version: String,
}

/// The current groups, and the deleted groups that may still have bookings.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The groups that allocate numbers.
    pub current: Vec<Arc<Group>>,
    /// The names of deleted groups; they only release numbers.
    pub retired: Vec<String>,
}

impl Groups {
    /// Returns all groups; deleted groups have no numbers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Group>> {
        let retired = self.retired.iter().map(|name| {
            Arc::new(Group {
                name: name.clone(),
                strategy: AllocationStrategy::Exclusive,
                numbers: Vec::new(),
                backup: None,
                version: String::new(),
            })
        });
        self.current.iter().cloned().chain(retired).collect()
    }
}

/// The access codes that may be allocated: random digits after one of the prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// The total number of digits, 1 to 16.
    pub length: usize,
    /// The prefixes, all of one length that is at most that of the code. The list is not empty, but its
    /// only prefix may be.
    pub prefixes: Vec<String>,
}

impl Codes {
    /// Returns the number of different codes, saturating.
    #[must_use]
    pub fn count(&self) -> u64 {
        let free = self.length - self.prefixes.first().map_or(0, String::len);
        let tails = 10_u64.saturating_pow(u32::try_from(free).unwrap_or(u32::MAX));
        tails.saturating_mul(self.prefixes.len() as u64)
    }

    /// Returns up to `limit` different codes in an unpredictable order.
    #[must_use]
    pub fn candidates(&self, limit: usize) -> Vec<String> {
        let mut random = rand::rng();
        let tail = self.length - self.prefixes.first().map_or(0, String::len);
        let code = |number: u64| {
            let tails = 10_u64.saturating_pow(u32::try_from(tail).unwrap_or(u32::MAX));
            let index = usize::try_from(number / tails).unwrap_or_default();
            let prefix = self.prefixes.get(index).map_or("", String::as_str);
            match tail {
                0 => prefix.to_owned(),
                _ => format!("{prefix}{:0tail$}", number % tails),
            }
        };
        match usize::try_from(self.count()) {
            // Few codes: sample without repetition.
            Ok(count) if count <= 100_000 => index::sample(&mut random, count, limit.min(count))
                .into_iter()
                .map(|number| code(number as u64))
                .collect(),
            // Many codes: repetitions do no harm.
            _ => (0..limit)
                .map(|_| code(random.random_range(0..self.count())))
                .collect(),
        }
    }
}

/// A request for a number of a group.
#[derive(Debug, Clone)]
pub struct BookingRequest {
    /// The subscriber that is going to call, if the app provides it.
    pub caller: Option<String>,
    /// The default region that the caller and the numbers of the group were parsed with; empty if it is
    /// not known.
    pub region: String,
    /// The codes to choose from, if a code is required.
    pub codes: Option<Codes>,
    /// The maximum time for which the number is booked.
    pub timeout: Duration,
    /// Whether to return the usage of the pool.
    pub include_pool: bool,
    /// The subscriptions to the events of the booking, if there are any.
    pub webhooks: Option<BookingWebhooks>,
}

/// The id of a booking. Ids of later bookings of a number are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingId(String);

impl BookingId {
    /// Generates an id for a booking made at `now`.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(format!("{:013}-{}", now.millis(), Uuid::new_v4().simple()))
    }

    /// Like [`generate`](Self::generate), for the create of a service that may be repeated: the id ends with
    /// [`suffix_of`](Self::suffix_of) its `request`.
    #[must_use]
    pub fn generate_for_request(now: Timestamp, request: &str) -> Self {
        Self(Self::generate(now).0 + &Self::suffix_of(request))
    }

    /// Returns the end of the ids of bookings for this request.
    #[must_use]
    pub fn suffix_of(request: &str) -> String {
        format!("-{}", request.get(..16).unwrap_or(request))
    }

    /// Returns the time at which the id was generated.
    #[must_use]
    pub fn booked_at(&self) -> Option<Timestamp> {
        let (millis, _) = self.0.split_once('-')?;
        millis.parse().ok().map(Timestamp::from_millis)
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BookingId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The service that a number is booked for.
#[derive(Debug, Clone, Copy)]
pub enum BookingOwner<'a> {
    /// A service that is about to be created. If it is not created, the booking expires.
    New(&'a ServiceId),
    /// Like `New`, for a create with an [`IdempotencyKey`](super::IdempotencyKey) and this digest of its request.
    /// Concurrent repetitions of the request use one booking.
    NewRepeatable(&'a ServiceId, &'a str),
    /// An existing service; the booking expires no later than the service.
    Existing(&'a ServiceId),
}

impl<'a> BookingOwner<'a> {
    /// Returns the id of the service.
    #[must_use]
    pub fn id(self) -> &'a ServiceId {
        match self {
            Self::New(id) | Self::NewRepeatable(id, _) | Self::Existing(id) => id,
        }
    }

    /// Whether the service is about to be created.
    #[must_use]
    pub fn is_new(self) -> bool {
        matches!(self, Self::New(_) | Self::NewRepeatable(..))
    }
}

/// A booked number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// The id.
    pub id: BookingId,
    /// The name of its group.
    pub group: String,
    /// The number to dial.
    pub number: String,
    /// The code to enter, if one was requested.
    pub code: Option<String>,
    /// The time until it expires.
    pub expires_in: Duration,
    /// The usage of the pool, if it was requested.
    pub pool: Option<PoolUsage>,
}

/// The usage of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// The numbers of the group without the quarantined ones.
    pub size: u64,
    /// Those of them that are free.
    pub free: u64,
    /// The quarantined numbers. 0 in a [`Booking`], which does not count them.
    pub quarantined: u64,
}

impl PoolUsage {
    /// Returns the booked numbers of the group.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }

    /// Whether the group has numbers, and none is free.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.free == 0 && self.size + self.quarantined > 0
    }

    /// Whether at least four of five numbers are booked.
    #[must_use]
    pub fn is_nearly_exhausted(&self) -> bool {
        self.size > 0 && self.used() * 5 >= self.size * 4
    }

    /// Returns the booked numbers as a part of all, from 0 to 1,000: 1,000 if all numbers are quarantined.
    #[must_use]
    pub fn permille(&self) -> u64 {
        if self.is_exhausted() {
            return 1_000;
        }
        self.used() * 1_000 / self.size.max(1)
    }

    /// Returns the usage of a group with `numbers` configured numbers. Until the first booking the store
    /// has no record of them; then all are free.
    #[must_use]
    pub fn or_all_free(self, numbers: usize) -> Self {
        let size = numbers as u64;
        if self.size + self.quarantined > 0 {
            return self;
        }
        Self {
            size,
            free: size,
            quarantined: 0,
        }
    }
}

/// The result of a request for a number.
#[derive(Debug, PartialEq, Eq)]
pub enum BookResult {
    /// The number is booked.
    Booked(Booking),
    /// No number is free; the next booking expires after this time.
    Exhausted(Duration),
    /// There is no active service with this id.
    ServiceNotFound,
    /// The service of a [`BookingOwner::NewRepeatable`] was created meanwhile; this is its stored value, as in
    /// [`IdempotencyClaim::Replayed`](super::IdempotencyClaim::Replayed). Nothing changed.
    Replayed(String),
}

/// The data of an incoming call from the routing side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The dialed subscriber, parsed with each of the regions, without duplicates.
    pub dialed: Vec<String>,
    /// The code that the caller entered.
    pub code: Option<String>,
    /// The calling subscriber, parsed with each of the regions; the first one that has a booking is
    /// used. Empty if the caller is not known.
    pub callers: Vec<String>,
    /// The regions that the numbers were parsed with.
    pub regions: Vec<String>,
}

/// The result of matching a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchResult {
    /// The call belongs to this service. Its number was released.
    Matched(ServiceId),
    /// No booking matches.
    NoMatch {
        /// Whether a booking fit except that it had expired. Redis releases those bookings with the match; the
        /// embedded store has released them before, so it finds none.
        has_expired: bool,
    },
    /// Numbers that were parsed with other regions may be booked: parse the call with them too, and match again. No
    /// active booking changed.
    OtherRegions {
        /// The regions.
        regions: Vec<String>,
        /// As in [`Self::NoMatch`].
        has_expired: bool,
    },
}
