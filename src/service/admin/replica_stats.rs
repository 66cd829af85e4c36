//! How a replica is doing, in the few figures that all others may know.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{service::ClockSkew, telemetry::metrics};

/// How one replica is doing. What it does not know, or does not count, is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaStats {
    /// Requests a second that it answered of late.
    pub requests_per_second: Option<f64>,
    /// Those of them that it answered with a status of 500 or more.
    pub errors_per_second: Option<f64>,
    /// Whether it is the one that cleans up after services.
    #[serde(default)]
    pub cleanup_leader: bool,
    /// For how many seconds the oldest ended service waits to be given back; who cleans up knows.
    pub cleanup_lag_seconds: Option<f64>,
    /// Whether the store tells it of every service that ends.
    #[serde(default)]
    pub keyspace_notifications: bool,
    /// By how many seconds its clock is ahead of that of the store.
    pub clock_skew_seconds: Option<f64>,
    /// How many entries of the catalog it can restore that the store has lost.
    #[serde(default)]
    pub catalog_entries_lost: usize,
}

/// Takes the pulse: a rate is over the time since it was taken before.
pub(super) struct StatsSampler {
    before: Option<(u64, u64)>,
    at: Instant,
}

impl StatsSampler {
    pub(super) fn new() -> Self {
        Self {
            before: metrics::response_counts(),
            at: Instant::now(),
        }
    }

    pub(super) fn sample(&mut self, skew: &ClockSkew) -> ReplicaStats {
        let (answered, seconds) = (metrics::response_counts(), self.at.elapsed().as_secs_f64());
        let rate = |pick: fn((u64, u64)) -> u64| {
            let more = pick(answered?).saturating_sub(pick(self.before?));
            let more = f64::from(u32::try_from(more).unwrap_or(u32::MAX));
            (seconds > 0.0).then(|| (more / seconds * 10.0).round() / 10.0)
        };
        let pulse = ReplicaStats {
            requests_per_second: rate(|counts| counts.0),
            errors_per_second: rate(|counts| counts.1),
            cleanup_leader: metrics::is_cleanup_leader(),
            cleanup_lag_seconds: metrics::cluster_metrics()
                .cleanup_lag
                .map(|lag| lag.as_secs_f64()),
            keyspace_notifications: metrics::keyspace_notifications_enabled(),
            clock_skew_seconds: skew.seconds(),
            catalog_entries_lost: metrics::catalog_entries_lost(),
        };
        (self.before, self.at) = (answered, Instant::now());
        pulse
    }
}
