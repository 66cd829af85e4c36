//! Measures how far the clock of this machine differs from the clock of the store.
//!
//! No result depends on the clock of this machine, so a difference is only reported: as a metric, in the
//! log, and to operators. A replica whose clock is wrong by more than a bound is misconfigured and not
//! ready.

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
    model::readiness::{Finding, Readiness, Reason},
    store::{Clock, Timestamp, WallClock},
    telemetry::metrics,
};

/// How often the clocks are compared; nothing is asked for that.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The difference above which there is a warning.
const WARNING_THRESHOLD: Duration = Duration::from_secs(1);
/// Stands for a difference that is not known.
const UNKNOWN: i64 = i64::MIN;

/// The difference between the clock of this machine and that of the store, as it was measured last.
#[derive(Debug, Clone)]
pub struct ClockSkew(Arc<AtomicI64>);

/// How large a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Small,
    Large,
    /// Larger than allowed.
    Excessive,
}

impl Default for ClockSkew {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNKNOWN)))
    }
}

impl ClockSkew {
    /// By how many seconds the clock of this machine is ahead; negative where it is behind, `None` while
    /// it is not known.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        let millis = self.0.load(Relaxed);
        (millis != UNKNOWN)
            .then(|| Duration::from_millis(millis.unsigned_abs()))
            .map(|skew| skew.as_secs_f64() * if millis < 0 { -1.0 } else { 1.0 })
    }

    fn set(&self, millis: Option<i64>) {
        self.0.store(millis.unwrap_or(UNKNOWN), Relaxed);
        metrics::set_clock_skew(self.seconds());
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
        // While the time of the store is not known nothing has changed.
        if let Some(millis) = millis {
            let next = level_of(millis, max_skew);
            if next != level {
                report(next, millis, max_skew);
            }
            level = next;
            if level == Level::Excessive {
                let detail =
                    format!("the clock of this machine is {millis} ms ahead of that of Redis");
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
        Level::Small => info!(
            skew_ms,
            "the clock of this machine agrees with that of Redis again"
        ),
        Level::Large => warn!(
            skew_ms,
            "the clock of this machine differs from that of Redis; results use the time of Redis, check NTP \
             on both"
        ),
        Level::Excessive => warn!(
            skew_ms,
            max_skew_seconds,
            "the clock of this machine differs from that of Redis by more than redis.max_clock_skew_seconds; \
             this replica is not ready, check NTP on both"
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
