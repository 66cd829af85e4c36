//! Statistics of a replica, published with its heartbeat.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::{service::ClockSkew, telemetry::metrics};

/// Statistics of one replica. Unknown values are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaStats {
    /// Requests per second.
    pub requests_per_second: Option<f64>,
    /// Responses per second with a status of 500 or higher.
    pub errors_per_second: Option<f64>,
    /// Whether it is the cleanup leader.
    #[serde(default)]
    pub cleanup_leader: bool,
    /// Age in seconds of the oldest ended service that is not cleaned up. Only the cleanup leader reports it.
    pub cleanup_lag_seconds: Option<f64>,
    /// Whether it receives keyspace notifications of every ended service.
    #[serde(default)]
    pub keyspace_notifications: bool,
    /// Seconds by which its clock is ahead of the clock of the store.
    pub clock_skew_seconds: Option<f64>,
    /// The number of lost catalog entries that it can restore.
    #[serde(default)]
    pub catalog_entries_lost: usize,
}

/// Samples the statistics. Rates cover the time since the previous sample.
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
        let (counts, seconds) = (metrics::response_counts(), self.at.elapsed().as_secs_f64());
        let rate = |pick: fn((u64, u64)) -> u64| {
            let increase = pick(counts?).saturating_sub(pick(self.before?));
            let increase = f64::from(u32::try_from(increase).unwrap_or(u32::MAX));
            (seconds > 0.0).then(|| (increase / seconds * 10.0).round() / 10.0)
        };
        let stats = ReplicaStats {
            requests_per_second: rate(|pair| pair.0),
            errors_per_second: rate(|pair| pair.1),
            cleanup_leader: metrics::is_cleanup_leader(),
            cleanup_lag_seconds: metrics::deployment_metrics()
                .cleanup_lag
                .map(|lag| lag.as_secs_f64()),
            keyspace_notifications: metrics::keyspace_notifications_enabled(),
            clock_skew_seconds: skew.seconds(),
            catalog_entries_lost: metrics::catalog_entries_lost(),
        };
        (self.before, self.at) = (counts, Instant::now());
        stats
    }
}
