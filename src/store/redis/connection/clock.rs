//! The clock of a Redis server, measured with `TIME`.

use std::{
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use redis::{RedisResult, aio::MultiplexedConnection};

use crate::store::{Moment, StoreError, clock::ReadClock};

/// How long a measurement counts that later ones are less exact than.
const MAX_AGE: Duration = Duration::from_secs(10);
/// By how much two servers' clocks may differ and still count as one clock.
const MAX_DIFFERENCE: Duration = Duration::from_secs(1);

/// The clock of one server, or, of several servers, the clock of the one that was measured last.
#[derive(Debug, Default)]
pub(super) struct ServerClock(RwLock<Option<Measured>>);

#[derive(Debug, Clone, Copy)]
struct Measured {
    clock: ReadClock,
    /// How long the server took to answer: how far the clock may be ahead of the server's.
    round_trip: Duration,
}

/// Asks the server for its time; returns the measurement as [`ServerClock::update`] takes it.
///
/// # Errors
/// What Redis says.
pub(super) async fn measure(
    connection: &mut MultiplexedConnection,
) -> RedisResult<(ReadClock, Duration)> {
    let asked_at = Instant::now();
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
    let micros = seconds.saturating_mul(1_000_000).saturating_add(micros);
    // The server read its clock after it was asked, so this is never behind the server's clock: nothing
    // ends before its time.
    Ok((ReadClock::new(micros, asked_at), asked_at.elapsed()))
}

impl ServerClock {
    /// The current time of the server; `None` while it has not been measured.
    pub(super) fn now(&self) -> Option<Moment> {
        let measured = self.0.read().unwrap_or_else(PoisonError::into_inner);
        measured.map(|measured| measured.clock.now())
    }

    /// Takes a measurement over a new connection: behind it there may be another server than before.
    pub(super) fn reset(&self, (clock, round_trip): (ReadClock, Duration)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = Some(Measured { clock, round_trip });
    }

    /// Takes a measurement if it is more exact than the one in use, contradicts it (the clock of the
    /// server was set), or if that one is old.
    pub(super) fn update(&self, (clock, round_trip): (ReadClock, Duration)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = Measured { clock, round_trip };
        if known.is_none_or(|known| next.is_better_than(&known)) {
            *known = Some(next);
        }
    }
}

impl Measured {
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
pub(super) fn translate(moment: Moment, from: Moment, to: Moment) -> Moment {
    if from.since(to).max(to.since(from)) < MAX_DIFFERENCE {
        return moment;
    }
    moment.after(to.since(from)).before(from.since(to))
}

/// # Errors
/// [`StoreError::Unavailable`] where there is no time.
pub(super) fn known(time: Option<Moment>) -> Result<Moment, StoreError> {
    let unknown = || StoreError::Unavailable("the time of Redis is not known yet".to_owned());
    time.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(micros: i64, at: Instant, millis: u64) -> (ReadClock, Duration) {
        (ReadClock::new(micros, at), Duration::from_millis(millis))
    }

    /// What a clock shows at `at` after these measurements.
    fn shown(measurements: &[(ReadClock, Duration)], at: Instant) -> i64 {
        let clock = ServerClock::default();
        for measurement in measurements {
            clock.update(*measurement);
        }
        clock.0.read().unwrap().unwrap().clock.micros_at(at)
    }

    #[test]
    fn the_most_exact_measurement_counts_until_it_is_old_or_contradicted() {
        let at = Instant::now();
        let later = |seconds| at + Duration::from_secs(seconds);
        let exact = measured(1_000_000, at, 1);
        let slow = measured(2_050_000, later(1), 100);
        assert_eq!(shown(&[exact, slow], later(1)), 2_000_000);
        let as_exact = measured(2_000_500, later(1), 1);
        assert_eq!(shown(&[exact, as_exact], later(1)), 2_000_500);
        let old = measured(12_050_000, later(11), 100);
        assert_eq!(shown(&[exact, old], later(11)), 12_050_000);
        let set_back = measured(500_000, later(1), 100);
        assert_eq!(shown(&[exact, set_back], later(1)), 500_000);
        let set_ahead = measured(120_000_000, later(1), 100);
        assert_eq!(shown(&[exact, set_ahead], later(1)), 120_000_000);
    }

    #[test]
    fn a_moment_keeps_its_distance_on_another_clock() {
        let moment = Moment::from_millis;
        let (ours, ahead) = (moment(1_000_000), moment(1_045_000));
        assert_eq!(translate(moment(1_060_000), ours, ahead), moment(1_105_000));
        assert_eq!(translate(moment(1_105_000), ahead, ours), moment(1_060_000));
        let close = moment(1_000_999);
        assert_eq!(translate(moment(1_060_000), ours, close), moment(1_060_000));
    }

    #[test]
    fn a_clock_that_was_never_measured_has_no_time() {
        let clock = ServerClock::default();
        assert!(known(clock.now()).is_err());
        clock.reset(measured(5_000_000, Instant::now(), 1));
        assert!(known(clock.now()).unwrap() >= Moment::from_millis(5_000));
    }
}
