//! Access numbers, and what holds them: a *booking* keeps a number for a service for a while.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, seq::index};
use uuid::Uuid;

use super::{ServiceId, Timestamp};

/// A number that callers dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNumber {
    /// As it is configured, and told to apps.
    pub text: String,
    /// Which subscriber it is: two ways to write one number have the same.
    pub subscriber: String,
}

/// How a group gives out its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocationStrategy {
    /// To any number of services at once, any number next.
    Random,
    /// To any number of services at once, the one longest unused next.
    RoundRobin,
    /// To one service at a time, the one longest unused next. Both `CLUSTER` and `LOCAL`: replicas
    /// are one.
    Exclusive,
}

/// A named set of access numbers.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How it gives out its numbers.
    pub strategy: AllocationStrategy,
    /// The numbers, no subscriber twice; unused ones are handed out in this order.
    pub numbers: Vec<AccessNumber>,
    /// Handed out, to any number of services, when the group has none left.
    pub backup: Option<AccessNumber>,
    /// Tells this set of numbers from any other.
    pub version: String,
}

/// The groups there are and, for as long as numbers of them may be held, those that were deleted.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Those that give out numbers.
    pub current: Vec<Arc<Group>>,
    /// Names of those that only take numbers back.
    pub retired: Vec<String>,
}

impl Groups {
    /// All of them; those that were deleted have no numbers.
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

/// The access codes that may be given: random digits behind one of some prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// Digits in all, 1 to 16.
    pub length: usize,
    /// What a code begins with; of one length, shorter than or as long as the code; never empty,
    /// though the only one may be.
    pub prefixes: Vec<String>,
}

impl Codes {
    /// How many different codes there are; as many as fit for more than that.
    #[must_use]
    pub fn count(&self) -> u64 {
        let free = self.length - self.prefixes.first().map_or(0, String::len);
        let tails = 10_u64.saturating_pow(u32::try_from(free).unwrap_or(u32::MAX));
        tails.saturating_mul(self.prefixes.len() as u64)
    }

    /// Up to `most` different codes, in an order nobody can foresee.
    #[must_use]
    pub fn candidates(&self, most: usize) -> Vec<String> {
        let mut random = rand::rng();
        let tail = self.length - self.prefixes.first().map_or(0, String::len);
        let code = |number: u64| {
            let tails = 10_u64.saturating_pow(u32::try_from(tail).unwrap_or(u32::MAX));
            let place = usize::try_from(number / tails).unwrap_or_default();
            let prefix = self.prefixes.get(place).map_or("", String::as_str);
            match tail {
                0 => prefix.to_owned(),
                _ => format!("{prefix}{:0tail$}", number % tails),
            }
        };
        match usize::try_from(self.count()) {
            // Few: each at most once.
            Ok(count) if count <= 100_000 => index::sample(&mut random, count, most.min(count))
                .into_iter()
                .map(|number| code(number as u64))
                .collect(),
            // Many: that two are the same does no harm.
            _ => (0..most)
                .map(|_| code(random.random_range(0..self.count())))
                .collect(),
        }
    }
}

/// What is wanted of a group.
#[derive(Debug, Clone)]
pub struct BookingRequest {
    /// The subscriber who is going to call, where the app says.
    pub caller: Option<String>,
    /// The region under which the caller and the numbers of the group were read; empty where that is not
    /// known.
    pub region: String,
    /// The codes one of which is to be given, if any.
    pub codes: Option<Codes>,
    /// How long the number is held at most.
    pub timeout: Duration,
    /// Whether to tell the fill of the pool.
    pub include_pool: bool,
}

/// Names one booking; later ones of a number are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingId(String);

impl BookingId {
    /// A new one, made at `now`.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        Self(format!("{:013}-{}", now.millis(), Uuid::new_v4().simple()))
    }

    /// As text.
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

/// Who a number is held for.
#[derive(Debug, Clone, Copy)]
pub enum BookingOwner<'a> {
    /// A service about to be made. If it is not made, the number comes back by itself.
    New(&'a ServiceId),
    /// A service that must live; the number is held no longer than it does.
    Existing(&'a ServiceId),
}

impl<'a> BookingOwner<'a> {
    /// Its id.
    #[must_use]
    pub fn id(self) -> &'a ServiceId {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }

    /// Whether it is about to be made.
    #[must_use]
    pub fn is_new(self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// A number that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// Its id.
    pub id: BookingId,
    /// Name of the group it was made in.
    pub group: String,
    /// The number to dial.
    pub number: String,
    /// The code to key in, where one was asked for.
    pub code: Option<String>,
    /// For how long it is held.
    pub expires_in: Duration,
    /// The fill of the pool behind it, where that was asked for.
    pub pool: Option<PoolUsage>,
}

/// The fill of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// Numbers in the group.
    pub size: u64,
    /// Numbers of these that could be handed out.
    pub free: u64,
}

impl PoolUsage {
    /// Numbers of the group that are held.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.size.saturating_sub(self.free)
    }

    /// The same for a group that has so many `numbers`: the store gets to know them when one is asked for,
    /// and until then all are free.
    #[must_use]
    pub fn or_all_free(self, numbers: usize) -> Self {
        let size = numbers as u64;
        match self.size {
            0 => Self { size, free: size },
            _ => self,
        }
    }
}

/// What became of a wish for a number.
#[derive(Debug, PartialEq, Eq)]
pub enum BookResult {
    /// This one is held.
    Booked(Booking),
    /// All are taken; the first one may be free after this time.
    Exhausted(Duration),
    /// There is no live service of that id.
    ServiceNotFound,
}

/// What the routing side knows of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The subscriber dialled, as it is read under each of the regions; no two alike.
    pub dialed: Vec<String>,
    /// The code keyed in.
    pub code: Option<String>,
    /// The subscriber calling, as it is read under each of the regions; the first one that has a booking
    /// counts. Empty where the caller is not known.
    pub callers: Vec<String>,
    /// The regions under which the numbers were read.
    pub regions: Vec<String>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchResult {
    /// It is for this service, and the number was released.
    Matched(ServiceId),
    /// No booking fits.
    NoMatch,
    /// Numbers that were read under these other regions may be booked: the call must be read under them
    /// too, and matched again. Nothing was changed.
    OtherRegions(Vec<String>),
}
