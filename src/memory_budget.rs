//! A bound on the memory that bodies of requests and responses take in the whole process.
//!
//! Whoever buffers bytes for a request reserves them first and is refused, never made to wait, where the
//! budget is used up. A quarter of it is kept for small requests, so that a few large ones cannot have
//! them refused.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use thiserror::Error;

use crate::settings::Limits;

/// A reservation of no more than this is small.
const MAX_SMALL_BYTES: usize = 64 * 1024;

/// The budgets of a process.
#[derive(Clone, Debug)]
pub struct MemoryBudgets {
    /// For bodies of requests, from the first byte until the request is answered.
    pub requests: MemoryBudget,
    /// For bodies of responses, until they are sent.
    pub responses: MemoryBudget,
}

/// A number of bytes that many share.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    setting: &'static str,
    limit: usize,
    used: AtomicUsize,
    refusals: AtomicU64,
}

/// Bytes of a budget, given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

/// There is not enough left of a budget.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OverBudget {
    /// There may be enough later.
    #[error("the service is busy: requests under way use up {setting} ({limit} bytes); try again")]
    Exhausted {
        /// The setting of the budget.
        setting: &'static str,
        /// Its value.
        limit: usize,
    },
    /// There will never be enough.
    #[error("this takes {bytes} bytes of memory at once, {max} are allowed (a part of {setting})")]
    TooLarge {
        /// The bytes asked for.
        bytes: usize,
        /// How many there can be.
        max: usize,
        /// The setting of the budget.
        setting: &'static str,
    },
}

impl MemoryBudgets {
    /// The budgets that `limits` set.
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
    /// A budget of `limit` bytes, which `setting` sets.
    #[must_use]
    pub fn new(setting: &'static str, limit: usize) -> Self {
        Self(Arc::new(Budget {
            setting,
            limit,
            used: AtomicUsize::new(0),
            refusals: AtomicU64::new(0),
        }))
    }

    /// A reservation of nothing yet.
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

    /// Fails where all of it is used.
    ///
    /// # Errors
    /// [`OverBudget::Exhausted`]
    pub fn check(&self) -> Result<(), OverBudget> {
        if self.used() < self.limit() {
            return Ok(());
        }
        Err(self.refuse())
    }

    /// A reservation of `bytes` that are in memory already and have to be sent, whatever is left.
    #[must_use]
    pub fn force_reserve(&self, bytes: usize) -> Reservation {
        self.0.used.fetch_add(bytes, Relaxed);
        Reservation {
            budget: self.clone(),
            bytes,
        }
    }

    /// Bytes reserved at the moment.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// Bytes that can be reserved at the same time.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How often [`OverBudget::Used`] was the result.
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

    /// The most that one large reservation can have.
    fn max_large_bytes(&self) -> usize {
        self.0.limit - self.0.limit / 4
    }
}

impl Reservation {
    /// Bytes reserved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves more.
    ///
    /// # Errors
    /// [`OverBudget`]; what was reserved before stays reserved.
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

    /// Reserves more, if there is enough left.
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

    /// How much of the budget may be used for a reservation of `bytes`.
    fn max_bytes(&self, bytes: usize) -> usize {
        if bytes <= MAX_SMALL_BYTES {
            self.budget.limit()
        } else {
            self.budget.max_large_bytes()
        }
    }

    /// Makes room in `buffer` for `more` bytes, and reserves that room. The buffer grows as vectors do,
    /// up to `max` bytes.
    ///
    /// # Errors
    /// [`OverBudget`]; the buffer is as it was.
    pub fn grow_buffer(
        &mut self,
        buffer: &mut Vec<u8>,
        more: usize,
        max: usize,
    ) -> Result<(), OverBudget> {
        let needed = buffer.len().saturating_add(more);
        let old = buffer.capacity();
        if needed > old {
            let mut capacity = needed.max(old.saturating_mul(2).min(max));
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
    fn what_is_dropped_can_be_reserved_again() {
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
    fn a_quarter_is_kept_for_small_reservations() {
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
    fn what_never_fits_is_told_apart() {
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
    fn a_buffer_has_reserved_all_of_its_capacity() {
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
        // Where twice as much is too much, it grows by what is needed.
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
