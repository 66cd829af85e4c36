//! The clock of a Redis server, measured with `TIME`.

use std::{
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use redis::{RedisResult, aio::MultiplexedConnection};

use crate::{
    model::{StoreError, Timestamp},
    store::clock::AnchoredClock,
};

/// The age after which a less exact measurement replaces this one.
const MAX_AGE: Duration = Duration::from_secs(10);
/// The difference of two servers' clocks below which they count as one clock.
const MAX_DIFFERENCE: Duration = Duration::from_secs(1);

/// The clock of one server, or, if shared by several servers, of the one that was measured last.
#[derive(Debug, Default)]
pub(super) struct ServerClock(RwLock<Option<Measurement>>);

#[derive(Debug, Clone, Copy)]
struct Measurement {
    clock: AnchoredClock,
    /// The response time of the server: the maximum by which this clock may be ahead of the server's.
    round_trip: Duration,
}

/// Measures the time of a server; returns the measurement for [`ServerClock::update`].
///
/// # Errors
/// Any error of Redis.
pub(super) async fn measure(
    connection: &mut MultiplexedConnection,
) -> RedisResult<(AnchoredClock, Duration)> {
    let sent_at = Instant::now();
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
    let micros = seconds.saturating_mul(1_000_000).saturating_add(micros);
    // The server reads its clock after `sent_at`, so this clock is never behind the server's: nothing
    // expires early.
    Ok((AnchoredClock::new(micros, sent_at), sent_at.elapsed()))
}

impl ServerClock {
    /// Returns the current time of the server; `None` if it has not been measured.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let measured = self.0.read().unwrap_or_else(PoisonError::into_inner);
        measured.map(|measured| measured.clock.now())
    }

    /// Replaces the measurement after a new connection, which may lead to another server.
    pub(super) fn reset(&self, (clock, round_trip): (AnchoredClock, Duration)) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Measurement { clock, round_trip });
    }

    /// Replaces the measurement if the new one is more exact or contradicts the current one (the clock
    /// of the server was set), or if the current one is old.
    pub(super) fn update(&self, (clock, round_trip): (AnchoredClock, Duration)) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = Measurement { clock, round_trip };
        if current.is_none_or(|current| next.is_better_than(&current)) {
            *current = Some(next);
        }
    }
}

impl Measurement {
    fn is_better_than(&self, other: &Self) -> bool {
        let (ours, at) = (&self.clock, self.clock.read_at());
        let expected = other.clock.micros_at(at);
        let difference = Duration::from_micros(ours.micros_at(at).abs_diff(expected));
        self.round_trip <= other.round_trip
            || difference > self.round_trip + other.round_trip
            || at.saturating_duration_since(other.clock.read_at()) > MAX_AGE
    }
}

/// Converts `timestamp` from the clock that shows `from` to the clock that shows `to`. If their
/// difference is negligible, the timestamp does not change: stored timestamps are then read back
/// exactly.
pub(super) fn translate(timestamp: Timestamp, from: Timestamp, to: Timestamp) -> Timestamp {
    if from.since(to).max(to.since(from)) < MAX_DIFFERENCE {
        return timestamp;
    }
    timestamp.after(to.since(from)).before(from.since(to))
}

/// # Errors
/// [`StoreError::Unavailable`] if there is no time.
pub(super) fn require_time(time: Option<Timestamp>) -> Result<Timestamp, StoreError> {
    let unknown = || StoreError::Unavailable("Redis time not measured yet".to_owned());
    time.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(micros: i64, at: Instant, millis: u64) -> (AnchoredClock, Duration) {
        (
            AnchoredClock::new(micros, at),
            Duration::from_millis(millis),
        )
    }

    /// Returns the time of the clock at `at` after these measurements.
    fn clock_reading(measurements: &[(AnchoredClock, Duration)], at: Instant) -> i64 {
        let clock = ServerClock::default();
        for measurement in measurements {
            clock.update(*measurement);
        }
        clock.0.read().unwrap().unwrap().clock.micros_at(at)
    }

    #[test]
    fn best_measurement_is_used_until_stale_or_contradicted() {
        let at = Instant::now();
        let later = |seconds| at + Duration::from_secs(seconds);
        let exact = measurement(1_000_000, at, 1);
        let slow = measurement(2_050_000, later(1), 100);
        assert_eq!(clock_reading(&[exact, slow], later(1)), 2_000_000);
        let as_exact = measurement(2_000_500, later(1), 1);
        assert_eq!(clock_reading(&[exact, as_exact], later(1)), 2_000_500);
        let old = measurement(12_050_000, later(11), 100);
        assert_eq!(clock_reading(&[exact, old], later(11)), 12_050_000);
        let set_back = measurement(500_000, later(1), 100);
        assert_eq!(clock_reading(&[exact, set_back], later(1)), 500_000);
        let set_ahead = measurement(120_000_000, later(1), 100);
        assert_eq!(clock_reading(&[exact, set_ahead], later(1)), 120_000_000);
    }

    #[test]
    fn translate_keeps_the_offset_from_now() {
        let timestamp = Timestamp::from_millis;
        let (ours, ahead) = (timestamp(1_000_000), timestamp(1_045_000));
        assert_eq!(
            translate(timestamp(1_060_000), ours, ahead),
            timestamp(1_105_000)
        );
        assert_eq!(
            translate(timestamp(1_105_000), ahead, ours),
            timestamp(1_060_000)
        );
        let close = timestamp(1_000_999);
        assert_eq!(
            translate(timestamp(1_060_000), ours, close),
            timestamp(1_060_000)
        );
    }

    #[test]
    fn unmeasured_clock_has_no_time() {
        let clock = ServerClock::default();
        assert!(require_time(clock.now()).is_err());
        clock.reset(measurement(5_000_000, Instant::now(), 1));
        assert!(require_time(clock.now()).unwrap() >= Timestamp::from_millis(5_000));
    }
}
