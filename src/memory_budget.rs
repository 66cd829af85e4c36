//! Bounds the memory of request and response bodies in the whole process.
//!
//! Code that buffers bytes for a request reserves them first; if the budget is used up, the reservation
//! fails at once. A quarter of it is reserved for small requests, so that a few large ones cannot block
//! them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use thiserror::Error;

pub(crate) use self::byte_counter::ByteCounter;
use crate::settings::Limits;

mod byte_counter;

/// Maximum size of a small reservation.
const MAX_SMALL_BYTES: usize = 64 * 1024;

/// The budgets of a process.
#[derive(Clone, Debug)]
pub struct MemoryBudgets {
    /// For request bodies, from the first byte until the response.
    pub requests: MemoryBudget,
    /// For response bodies, until they are sent.
    pub responses: MemoryBudget,
}

/// A shared number of bytes.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    setting: &'static str,
    limit: usize,
    used: AtomicUsize,
    refusals: AtomicU64,
}

/// Reserved bytes of a budget, released on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

/// A reservation failed.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum OverBudget {
    /// Not enough is free now; a later attempt may succeed.
    #[error("the service is busy: requests in flight use up {setting} ({limit} bytes); try again")]
    Exhausted {
        /// The setting of the budget.
        setting: &'static str,
        /// The value of the setting.
        limit: usize,
    },
    /// The reservation exceeds the maximum.
    #[error(
        "this needs {bytes} bytes of memory at once; the maximum is {max} (a part of {setting})"
    )]
    TooLarge {
        /// The size of the reservation.
        bytes: usize,
        /// The maximum.
        max: usize,
        /// The setting of the budget.
        setting: &'static str,
    },
}

impl MemoryBudgets {
    /// The budgets in `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let budget = MemoryBudget::new;
        Self {
            requests: budget("limits.request_memory_bytes", limits.request_memory_bytes),
            responses: budget("limits.response_memory_bytes", limits.response_memory_bytes),
        }
    }
}

impl MemoryBudget {
    /// A budget of `limit` bytes, the value of `setting`.
    #[must_use]
    pub fn new(setting: &'static str, limit: usize) -> Self {
        Self(Arc::new(Budget {
            setting,
            limit,
            used: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
        }))
    }

    /// An empty reservation.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// A reservation of `bytes`.
    ///
    /// # Errors
    /// [`OverBudget`]
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = self.reservation();
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Fails if the budget is used up.
    ///
    /// # Errors
    /// [`OverBudget::Exhausted`]
    pub fn check(&self) -> Result<(), OverBudget> {
        if self.used() < self.limit() {
            return Ok(());
        }
        Err(self.refuse())
    }

    /// Reserves `bytes` that are in memory already and must be sent, even beyond the limit.
    #[must_use]
    pub fn force_reserve(&self, bytes: usize) -> Reservation {
        self.0.used.fetch_add(bytes, Relaxed);
        Reservation {
            budget: self.clone(),
            bytes,
        }
    }

    /// The number of reserved bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// The maximum of bytes that are reserved at the same time.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many times [`OverBudget::Exhausted`] was returned.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.0.refusals.load(Relaxed)
    }

    fn refuse(&self) -> OverBudget {
        self.0.refusals.fetch_add(1, Relaxed);
        OverBudget::Exhausted {
            setting: self.0.setting,
            limit: self.0.limit,
        }
    }

    /// The maximum of large reservations.
    fn max_large_bytes(&self) -> usize {
        self.0.limit - self.0.limit / 4
    }
}

impl Reservation {
    /// The number of reserved bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves `more` bytes.
    ///
    /// # Errors
    /// [`OverBudget`]; the reservation is unchanged.
    pub fn grow(&mut self, more: usize) -> Result<(), OverBudget> {
        let bytes = self.bytes.saturating_add(more);
        let max = self.max_bytes(bytes);
        if bytes > max {
            return Err(OverBudget::TooLarge {
                bytes,
                max,
                setting: self.budget.0.setting,
            });
        }
        if self.try_grow(more) {
            return Ok(());
        }
        Err(self.budget.refuse())
    }

    /// Reserves `more` bytes if they are available.
    fn try_grow(&mut self, more: usize) -> bool {
        let bytes = self.bytes.saturating_add(more);
        let max = self.max_bytes(bytes);
        let enough = |used: usize| used.checked_add(more).filter(|used| *used <= max);
        let used = &self.budget.0.used;
        let grown = used.fetch_update(Relaxed, Relaxed, enough).is_ok();
        if grown {
            self.bytes = bytes;
        }
        grown
    }

    /// The part of the budget that a reservation of `bytes` may use.
    fn max_bytes(&self, bytes: usize) -> usize {
        if bytes <= MAX_SMALL_BYTES {
            self.budget.limit()
        } else {
            self.budget.max_large_bytes()
        }
    }

    /// Reserves and allocates capacity for `more` bytes in `buffer`. The capacity is a power of two, at most `max`
    /// bytes: the allocator keeps pages of up to 4 MiB for each size of blocks, so few sizes take less memory.
    ///
    /// # Errors
    /// [`OverBudget`]; the buffer is unchanged.
    pub fn grow_buffer(
        &mut self,
        buffer: &mut Vec<u8>,
        more: usize,
        max: usize,
    ) -> Result<(), OverBudget> {
        let needed = buffer.len().saturating_add(more);
        let old = buffer.capacity();
        if needed > old {
            let rounded = needed.checked_next_power_of_two().unwrap_or(needed);
            let mut capacity = needed.max(rounded.min(max));
            if !self.try_grow(capacity - old) {
                capacity = needed;
                self.grow(capacity - old)?;
            }
            buffer.reserve_exact(capacity - buffer.len());
        }
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.used.fetch_sub(self.bytes, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 4_000_000;

    fn budget() -> MemoryBudget {
        MemoryBudget::new("limits.test", LIMIT)
    }

    #[test]
    fn dropped_reservations_are_released() {
        let budget = budget();
        let first = budget.reserve(2_000_000).unwrap();
        let refused = budget.reserve(2_000_000).unwrap_err();
        assert_eq!(
            refused,
            OverBudget::Exhausted {
                setting: "limits.test",
                limit: LIMIT
            }
        );
        assert_eq!(budget.refusals(), 1);
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.reserve(2_000_000).is_ok());
        assert_eq!(budget.refusals(), 1);
    }

    #[test]
    fn a_quarter_is_reserved_for_small_reservations() {
        let budget = budget();
        let mut large = budget.reserve(3_000_000).unwrap();
        assert!(large.grow(1).is_err());
        let small: Vec<Reservation> = (0..100)
            .map_while(|_| budget.reserve(50_000).ok())
            .collect();
        assert_eq!((small.len(), budget.used()), (20, LIMIT));
        drop((large, small));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_reservation_above_the_maximum_has_an_error_of_its_own() {
        let budget = budget();
        let refused = budget.reserve(3_000_001).unwrap_err();
        assert!(matches!(
            refused,
            OverBudget::TooLarge { max: 3_000_000, .. }
        ));
        assert!(budget.reservation().grow(usize::MAX).is_err());
        assert_eq!(budget.refusals(), 0);
    }

    #[test]
    fn the_whole_capacity_of_a_buffer_is_reserved() {
        let budget = budget();
        let (mut reservation, mut buffer) = (budget.reservation(), Vec::new());
        for _ in 0..100 {
            reservation
                .grow_buffer(&mut buffer, 1_000, 100_000)
                .unwrap();
            assert_eq!(budget.used(), buffer.capacity());
            buffer.extend_from_slice(&[7; 1_000]);
        }
        assert_eq!(buffer.capacity(), 100_000);
        // If doubling exceeds the budget, the buffer grows by the needed bytes.
        let mut reservation = budget.reservation();
        let mut buffer = Vec::new();
        reservation
            .grow_buffer(&mut buffer, 2_000_000, LIMIT)
            .unwrap();
        buffer.resize(2_000_000, 7);
        reservation
            .grow_buffer(&mut buffer, 500_000, LIMIT)
            .unwrap();
        assert_eq!((buffer.capacity(), budget.refusals()), (2_500_000, 0));
    }
}
