//! Time: the clock of the store, and the clock of this machine.
//!
//! Every timestamp that is stored, or compared with a stored one, comes from the [`Clock`] of the store.
//! All replicas share the store, so they share its time, even if their own clocks are wrong. See
//! `docs/adr/0001-time-comes-from-the-store.md`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::model::{StoreError, Timestamp};

/// The clock of a store.
pub trait Clock: Send + Sync {
    /// Returns the current time of the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the time of the store has not been measured yet.
    fn now(&self) -> Result<Timestamp, StoreError>;
}

/// The wall clock of this machine. It may be wrong and may jump, so it is not the source of stored
/// timestamps; its difference to the clock of the store is measured.
#[derive(Debug, Clone, Default)]
pub struct WallClock {
    shift_millis: Arc<AtomicI64>,
}

impl WallClock {
    /// Returns the current time of this machine.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let shift = self.shift_millis.load(Relaxed);
        Timestamp::from_millis(micros_since_epoch() / 1_000 + shift)
    }

    /// Shifts all clones of this clock by this number of milliseconds. For tests.
    pub fn set_shift(&self, millis: i64) {
        self.shift_millis.store(millis, Relaxed);
    }
}

/// A clock that is read once and advances with the monotonic clock of this machine, so that it does not
/// jump.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnchoredClock {
    micros: i64,
    read_at: Instant,
}

impl AnchoredClock {
    /// Creates a clock that showed `micros` microseconds since 1970 at `read_at`.
    pub(super) fn new(micros: i64, read_at: Instant) -> Self {
        Self { micros, read_at }
    }

    /// Anchors the clock at the current wall clock time of this machine.
    pub(super) fn from_system_time() -> Self {
        Self::new(micros_since_epoch(), Instant::now())
    }

    /// Returns the current time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.micros_at(Instant::now()) / 1_000)
    }

    /// Returns the current time in microseconds since 1970.
    pub(super) fn now_micros(&self) -> i64 {
        self.micros_at(Instant::now())
    }

    /// Returns when the clock was read.
    pub(super) fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Returns its time at `instant`, in microseconds since 1970.
    pub(super) fn micros_at(&self, instant: Instant) -> i64 {
        let after = micros(instant.saturating_duration_since(self.read_at));
        let before = micros(self.read_at.saturating_duration_since(instant));
        self.micros.saturating_add(after).saturating_sub(before)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn micros_since_epoch() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since.unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchored_clock_advances_with_monotonic_time() {
        let read_at = Instant::now();
        let clock = AnchoredClock::new(5_000_000, read_at);
        assert_eq!(clock.micros_at(read_at), 5_000_000);
        let later = read_at + Duration::from_millis(1_500);
        assert_eq!(clock.micros_at(later), 6_500_000);
        let clock = AnchoredClock::new(5_000_000, later);
        assert_eq!(clock.micros_at(read_at), 3_500_000);
    }

    #[test]
    fn wall_clock_shift_applies_to_all_clones() {
        let (clock, unshifted) = (WallClock::default(), WallClock::default());
        let clone = clock.clone();
        clock.set_shift(-120_000);
        let behind = unshifted.now().since(clone.now()).as_millis();
        assert!((119_000..121_000).contains(&behind), "{behind}");
    }
}
