//! The times between attempts to deliver an event.

use std::time::Duration;

use rand::RngExt;

use crate::model::webhook::NextAttempt;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// The seconds before each further attempt. After the last one the event becomes a dead letter, about three days after
/// the first attempt.
const DELAYS: [u64; 9] = [
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
/// The limits of the random factor, which spreads the attempts of events that failed together.
const JITTER: std::ops::RangeInclusive<f64> = 0.9..=1.1;

/// What follows a failed attempt after `failed_attempts` earlier ones.
pub(super) fn after_failure(failed_attempts: u32) -> NextAttempt {
    let index = usize::try_from(failed_attempts).unwrap_or(usize::MAX);
    let Some(seconds) = DELAYS.get(index) else {
        return NextAttempt::DeadLetter;
    };
    let factor = rand::rng().random_range(JITTER);
    NextAttempt::After(Duration::from_secs(*seconds).mul_f64(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_attempted_ten_times_with_growing_delays() {
        for (attempts, seconds) in (0..).zip(DELAYS) {
            let NextAttempt::After(delay) = after_failure(attempts) else {
                panic!("no attempt after {attempts}");
            };
            let factor = delay.as_secs_f64() / Duration::from_secs(seconds).as_secs_f64();
            assert!((0.899..=1.101).contains(&factor), "{attempts}: {delay:?}");
        }
        assert_eq!(after_failure(9), NextAttempt::DeadLetter);
        assert_eq!(after_failure(u32::MAX), NextAttempt::DeadLetter);
        assert!(DELAYS.is_sorted());
        assert_eq!(DELAYS.iter().sum::<u64>(), 75 * HOUR + 35 * MINUTE + 5);
    }

    #[test]
    fn delays_differ() {
        let first = after_failure(8);
        assert!((0..100).any(|_| after_failure(8) != first));
    }
}
