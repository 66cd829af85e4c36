//! Statistics of a replica, published with its heartbeat.

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};

use super::replica_problems::{ProblemSources, ReplicaProblem};
use crate::{
    model::{cleanup_status::CleanupStatus, response_counts::ResponseCounts},
    service::ClockSkew,
};

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
    /// The problems that it has detected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ReplicaProblem>,
}

/// Samples the statistics. Rates cover the time since the previous sample.
pub struct StatsSampler {
    responses: ResponseCounts,
    cleanup: CleanupStatus,
    skew: ClockSkew,
    problems: Arc<ProblemSources>,
    before: (u64, u64),
    at: Instant,
}

impl StatsSampler {
    /// Samples this state of the replica.
    #[must_use]
    pub fn new(
        responses: ResponseCounts,
        cleanup: CleanupStatus,
        skew: ClockSkew,
        problems: ProblemSources,
    ) -> Self {
        Self {
            before: (responses.responses(), responses.failed()),
            responses,
            cleanup,
            skew,
            problems: Arc::new(problems),
            at: Instant::now(),
        }
    }

    pub(super) fn problem_sources(&self) -> Arc<ProblemSources> {
        Arc::clone(&self.problems)
    }

    pub(super) fn sample(&mut self) -> ReplicaStats {
        let counts = (self.responses.responses(), self.responses.failed());
        let seconds = self.at.elapsed().as_secs_f64();
        let rate = |now: u64, before: u64| {
            let increase = f64::from(u32::try_from(now - before).unwrap_or(u32::MAX));
            (seconds > 0.0).then(|| (increase / seconds * 10.0).round() / 10.0)
        };
        let lag = self.cleanup.deployment().cleanup_lag;
        let stats = ReplicaStats {
            requests_per_second: rate(counts.0, self.before.0),
            errors_per_second: rate(counts.1, self.before.1),
            cleanup_leader: self.cleanup.is_leader(),
            cleanup_lag_seconds: lag.map(|lag| lag.as_secs_f64()),
            keyspace_notifications: self.cleanup.notifications_enabled(),
            clock_skew_seconds: self.skew.seconds(),
            catalog_entries_lost: self.problems.catalog.lost_entries(),
            problems: self.problems.detect(),
        };
        (self.before, self.at) = (counts, Instant::now());
        stats
    }
}
