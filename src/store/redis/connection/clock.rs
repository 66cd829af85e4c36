//! The clock of a Redis server, measured with `TIME`.

use std::{
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use redis::{RedisResult, aio::MultiplexedConnection};

use crate::store::{StoreError, Timestamp, clock::AnchoredClock};

/// How long a measurement counts that later ones are less exact than.
const MAX_AGE: Duration = Duration::from_secs(10);
/// By how much two servers' clocks may differ and still count as one clock.
const MAX_DIFFERENCE: Duration = Duration::from_secs(1);

/// The clock of one server, or, of several servers, the clock of the one that was measured last.
#[derive(Debug, Default)]
pub(super) struct ServerClock(RwLock<Option<Measurement>>);

#[derive(Debug, Clone, Copy)]
struct Measurement {
    clock: AnchoredClock,
    /// How long the server took to answer: how far the clock may be ahead of the server's.
    round_trip: Duration,
}

/// Asks the server for its time; returns the measurement as [`ServerClock::update`] takes it.
///
/// # Errors
/// What Redis says.
pub(super) async fn measure(
    connection: &mut MultiplexedConnection,
) -> RedisResult<(AnchoredClock, Duration)> {
    let asked_at = Instant::now();
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
    let micros = seconds.saturating_mul(1_000_000).saturating_add(micros);
    // The server read its clock after it was asked, so this is never behind the server's clock: nothing
    // ends before its time.
    Ok((AnchoredClock::new(micros, asked_at), asked_at.elapsed()))
}

impl ServerClock {
    /// The current time of the server; `None` while it has not been measured.
    pub(super) fn now(&self) -> Option<Timestamp> {
        let measured = self.0.read().unwrap_or_else(PoisonError::into_inner);
        measured.map(|measured| measured.clock.now())
    }

    /// Takes a measurement over a new connection: behind it there may be another server than before.
    pub(super) fn reset(&self, (clock, round_trip): (AnchoredClock, Duration)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Measurement { clock, round_trip });
    }

    /// Takes a measurement if it is more exact than the one in use, contradicts it (the clock of the
    /// server was set), or if that one is old.
    pub(super) fn update(&self, (clock, round_trip): (AnchoredClock, Duration)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = Measurement { clock, round_trip };
        if known.is_none_or(|known| next.is_better_than(&known)) {
            *known = Some(next);
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

/// `moment` of the clock that shows `from` on the clock that shows `to`. Clocks that hardly differ are one
/// clock: what was stored is then read back to the millisecond.
pub(super) fn translate(moment: Timestamp, from: Timestamp, to: Timestamp) -> Timestamp {
    if from.since(to).max(to.since(from)) < MAX_DIFFERENCE {
        return moment;
    }
    moment.after(to.since(from)).before(from.since(to))
}

/// # Errors
/// [`StoreError::Unavailable`] where there is no time.
pub(super) fn require_time(time: Option<Timestamp>) -> Result<Timestamp, StoreError> {
    let unknown = || StoreError::Unavailable("the time of Redis is not known yet".to_owned());
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

    /// What a clock shows at `at` after these measurements.
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
        let moment = Timestamp::from_millis;
        let (ours, ahead) = (moment(1_000_000), moment(1_045_000));
        assert_eq!(translate(moment(1_060_000), ours, ahead), moment(1_105_000));
        assert_eq!(translate(moment(1_105_000), ahead, ours), moment(1_060_000));
        let close = moment(1_000_999);
        assert_eq!(translate(moment(1_060_000), ours, close), moment(1_060_000));
    }

    #[test]
    fn unmeasured_clock_has_no_time() {
        let clock = ServerClock::default();
        assert!(require_time(clock.now()).is_err());
        clock.reset(measurement(5_000_000, Instant::now(), 1));
        assert!(require_time(clock.now()).unwrap() >= Timestamp::from_millis(5_000));
    }
}
