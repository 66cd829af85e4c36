//! Measures the clock skew between this machine and the store.
//!
//! Results never depend on the clock of this machine, so the skew is only reported: as a metric, in the log and in
//! the console. A replica whose skew exceeds a limit is misconfigured and not ready.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time;
use tracing::{info, warn};

use crate::{
    model::{
        Timestamp,
        readiness::{Finding, Readiness, Reason},
    },
    store::{Clock, WallClock},
};

/// The interval between comparisons, which need no request to the store.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The skew above which a warning is logged.
const WARNING_THRESHOLD: Duration = Duration::from_secs(1);
/// Represents an unknown skew.
const UNKNOWN: i64 = i64::MIN;

/// The clock skew that was measured last.
#[derive(Debug, Clone)]
pub struct ClockSkew(Arc<AtomicI64>);

/// The severity of a skew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Small,
    Large,
    /// Above the limit.
    Excessive,
}

impl Default for ClockSkew {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNKNOWN)))
    }
}

impl ClockSkew {
    /// Seconds by which the clock of this machine is ahead; negative if it is behind, `None` if unknown.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let millis = self.0.load(Relaxed);
        (millis != UNKNOWN)
            .then(|| Duration::from_millis(millis.unsigned_abs()))
            .map(|skew| skew.as_secs_f64() * if millis < 0 { -1.0 } else { 1.0 })
    }

    fn set(&self, millis: Option<i64>) {
        self.0.store(millis.unwrap_or(UNKNOWN), Relaxed);
    }
}

/// Compares the clock of this machine, `wall`, with that of `store`, for as long as it is polled. A
/// replica whose clock differs by more than `max_skew` is not ready.
pub async fn monitor_clock_skew(
    store: &dyn Clock,
    wall: WallClock,
    max_skew: Option<Duration>,
    skew: ClockSkew,
    readiness: Readiness,
) {
    let mut level = Level::Small;
    loop {
        let millis = store.now().ok().map(|now| difference(wall.now(), now));
        skew.set(millis);
        // While the time of the store is unknown the level does not change.
        if let Some(millis) = millis {
            let next = level_of(millis, max_skew);
            if next != level {
                report(next, millis, max_skew);
            }
            level = next;
            if level == Level::Excessive {
                let detail = format!(
                    "the clock of this machine differs from that of Redis by {millis} ms (positive: ahead)"
                );
                readiness.set(Finding::new(Reason::ClockSkew, detail));
            } else {
                readiness.clear(Reason::ClockSkew);
            }
        }
        time::sleep(CHECK_INTERVAL).await;
    }
}

fn difference(wall: Timestamp, store: Timestamp) -> i64 {
    wall.millis().saturating_sub(store.millis())
}

fn level_of(millis: i64, max_skew: Option<Duration>) -> Level {
    let skew = Duration::from_millis(millis.unsigned_abs());
    if max_skew.is_some_and(|max_skew| skew > max_skew) {
        Level::Excessive
    } else if skew > WARNING_THRESHOLD {
        Level::Large
    } else {
        Level::Small
    }
}

fn report(level: Level, skew_ms: i64, max_skew: Option<Duration>) {
    let max_skew_seconds = max_skew.map(|max_skew| max_skew.as_secs());
    match level {
        Level::Small => info!(skew_ms, "clock skew resolved"),
        Level::Large => warn!(
            skew_ms,
            "clock skew detected; results use the time of Redis; check NTP on both machines"
        ),
        Level::Excessive => warn!(
            skew_ms,
            max_skew_seconds,
            "clock skew exceeds redis.max_clock_skew_seconds; replica is not ready; check NTP on both machines"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_in_both_directions() {
        let max = Some(Duration::from_secs(300));
        for (millis, expected) in [
            (0, Level::Small),
            (1_000, Level::Small),
            (-1_000, Level::Small),
            (1_001, Level::Large),
            (-45_000, Level::Large),
            (300_000, Level::Large),
            (300_001, Level::Excessive),
            (-300_001, Level::Excessive),
        ] {
            assert_eq!(level_of(millis, max), expected, "{millis}");
        }
        assert_eq!(level_of(i64::MAX, None), Level::Large);
    }

    #[test]
    fn a_measured_skew_is_reported_in_seconds() {
        let skew = ClockSkew::default();
        assert_eq!(skew.seconds(), None);
        for (millis, seconds) in [(45_500, 45.5), (-120_000, -120.0), (0, 0.0)] {
            skew.0.store(millis, Relaxed);
            assert_eq!(skew.seconds(), Some(seconds));
        }
    }
}
