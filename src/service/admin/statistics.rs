//! Samples of this replica for the statistics of all replicas, which the console draws.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tracing::debug;

use super::{Admin, AdminError};
use crate::{
    model::{
        Timestamp,
        cleanup_status::CleanupStatus,
        statistics::{SAMPLE_INTERVAL, Statistics, StatisticsHistory, StatisticsRange},
    },
    store::AdminStore,
    telemetry::metrics::{Metrics, Totals},
};

/// Samples the metrics of this replica.
pub struct StatisticsSampler {
    totals: Totals,
    cleanup: CleanupStatus,
    before: Statistics,
}

impl StatisticsSampler {
    /// Samples these metrics and this state.
    #[must_use]
    pub fn new(metrics: &Metrics, cleanup: CleanupStatus) -> Self {
        let totals = Totals::new(metrics);
        Self {
            before: totals.read(),
            totals,
            cleanup,
        }
    }

    /// Adds a sample to the statistics at the end of each interval, for as long as this is polled. A sample that cannot
    /// be added is dropped, since it would not belong to a later interval.
    pub async fn run(mut self, store: Arc<dyn AdminStore>) {
        let mut round_trip = None;
        let mut pause = store.now().map_or(SAMPLE_INTERVAL, until_end_of_interval);
        loop {
            time::sleep(pause).await;
            let sample = self.sample(round_trip);
            let started = Instant::now();
            match store.add_statistics(&sample).await {
                Ok(at) => (round_trip, pause) = (Some(started.elapsed()), until_next_sample(at)),
                Err(error) => {
                    debug!(%error, "statistics not added");
                    (round_trip, pause) = (None, SAMPLE_INTERVAL);
                }
            }
        }
    }

    /// The counts since the last sample, and the current gauges. `round_trip` is that of the last sample.
    fn sample(&mut self, round_trip: Option<Duration>) -> Statistics {
        let totals = self.totals.read();
        let deployment = self.cleanup.deployment();
        let groups = deployment.groups.iter();
        let bookings = groups.map(|group| group.booked).sum();
        let sample = Statistics {
            samples: 1,
            active_services: deployment.active_services,
            bookings: deployment.active_services.map(|_| bookings),
            cleanup_lag_ms: deployment
                .cleanup_lag
                .map(|lag| saturating(lag.as_millis())),
            round_trip_us: round_trip.map(|time| saturating(time.as_micros())),
            ..totals.since(&self.before)
        };
        self.before = totals;
        sample
    }
}

/// The time from `at` to the next end of an interval.
fn until_end_of_interval(at: Timestamp) -> Duration {
    let start = StatisticsRange::Hour.interval_start(at);
    start.after(SAMPLE_INTERVAL).since(at)
}

/// The time from a sample that was added at `at` to the next one: to the next end of an interval that is at least half an
/// interval later.
fn until_next_sample(at: Timestamp) -> Duration {
    let half = SAMPLE_INTERVAL / 2;
    half + until_end_of_interval(at.after(half))
}

fn saturating(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl Admin {
    /// The statistics of all replicas.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn statistics(
        &self,
        range: StatisticsRange,
    ) -> Result<StatisticsHistory, AdminError> {
        let result = self.store.statistics(range).await;
        self.context.store_status.record(&result);
        Ok(result?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cleanup_status::{DeploymentStats, GroupStats};

    #[test]
    fn samples_are_due_at_the_end_of_an_interval() {
        for (at, pause) in [
            (0, 10_000),
            (3, 9_997),
            (4_999, 5_001),
            (5_000, 15_000),
            (9_998, 10_002),
        ] {
            let at = Timestamp::from_millis(1_795_455_000_000 + at);
            assert_eq!(until_next_sample(at), Duration::from_millis(pause), "{at}");
        }
    }

    #[test]
    fn a_sample_has_the_counts_since_the_last_one() {
        let (metrics, cleanup) = (Metrics::default(), CleanupStatus::default());
        let reject = || metrics.http.count_rejected_request(400, "BadRequest");
        reject();
        let mut sampler = StatisticsSampler::new(&metrics, cleanup.clone());
        reject();
        reject();
        let sample = sampler.sample(None);
        assert_eq!((sample.samples, sample.client_errors), (1, 2));
        assert_eq!((sample.active_services, sample.bookings), (None, None));
        let group = |name: &str, booked| GroupStats {
            name: name.to_owned(),
            booked,
            free: None,
            quarantined: 1,
        };
        cleanup.set_deployment(DeploymentStats {
            active_services: Some(7),
            groups: vec![group("a", 2), group("b", 3)],
            ..DeploymentStats::default()
        });
        let sample = sampler.sample(Some(Duration::from_millis(2)));
        let expected = Statistics {
            samples: 1,
            active_services: Some(7),
            bookings: Some(5),
            round_trip_us: Some(2_000),
            ..Statistics::default()
        };
        assert_eq!(sample, expected);
    }
}
