//! Samples of this replica for the statistics of all replicas, which the console draws.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use tracing::debug;

use super::{Admin, AdminError};
use crate::{
    model::{
        StoreError, Timestamp,
        cleanup_status::CleanupStatus,
        statistics::{SAMPLE_INTERVAL, Statistics, StatisticsHistory, StatisticsRange},
    },
    store::{AdminStore, StatisticsStore},
    telemetry::metrics::{Metrics, Totals},
};

/// The maximum number of samples that wait for the store: those of ten minutes.
const MAX_PENDING_SAMPLES: usize = 60;

/// Samples the metrics of this replica.
pub struct StatisticsSampler {
    /// `None` if this replica records no metrics.
    totals: Option<Totals>,
    cleanup: CleanupStatus,
    before: Statistics,
    /// The samples that are not in the store yet, and when they were taken; oldest first.
    pending: VecDeque<(Instant, Statistics)>,
}

impl StatisticsSampler {
    /// Samples these metrics, if they are recorded, and this state.
    #[must_use]
    pub fn new(metrics: Option<&Metrics>, cleanup: CleanupStatus) -> Self {
        let totals = metrics.map(Totals::new);
        Self {
            before: totals.as_ref().map(Totals::read).unwrap_or_default(),
            totals,
            cleanup,
            pending: VecDeque::new(),
        }
    }

    /// Adds a sample to the statistics at the end of each interval, for as long as this is polled. A sample that the
    /// store did not add is added later to its own interval; of more than `MAX_PENDING_SAMPLES` the oldest are dropped.
    pub async fn run(mut self, store: Arc<dyn AdminStore>) {
        let mut round_trip = None;
        let mut pause = store.now().map_or(SAMPLE_INTERVAL, until_end_of_interval);
        loop {
            time::sleep(pause).await;
            let sample = self.sample(round_trip);
            if self.pending.len() >= MAX_PENDING_SAMPLES {
                self.pending.pop_front();
            }
            self.pending.push_back((Instant::now(), sample));
            let started = Instant::now();
            (round_trip, pause) = match self.add_pending(&*store).await {
                Ok((at, round_trip)) => (Some(round_trip), until_next_sample(at)),
                Err(error) => {
                    debug!(%error, "statistics not added");
                    (None, SAMPLE_INTERVAL.saturating_sub(started.elapsed()))
                }
            };
        }
    }

    /// Adds all pending samples. Returns the time of the store and the last round trip. A sample without a response may
    /// have been added, and is not sent again: it could count twice.
    async fn add_pending(
        &mut self,
        store: &dyn StatisticsStore,
    ) -> Result<(Timestamp, Duration), StoreError> {
        let mut added = (store.now()?, Duration::ZERO);
        while let Some((taken_at, sample)) = self.pending.front() {
            let started = Instant::now();
            let result = store.add_statistics(sample, taken_at.elapsed()).await;
            if !matches!(&result, Err(error) if is_unchanged(error)) {
                self.pending.pop_front();
            }
            added = (result?, started.elapsed());
        }
        Ok(added)
    }

    /// The counts since the last sample, and the current gauges. `round_trip` is that of the last sample.
    fn sample(&mut self, round_trip: Option<Duration>) -> Statistics {
        let totals = self.totals.as_ref().map(Totals::read).unwrap_or_default();
        let deployment = self.cleanup.deployment();
        let groups = deployment.groups.iter();
        let bookings = groups.map(|group| group.booked).sum();
        let sample = Statistics {
            samples: u64::from(self.totals.is_some()),
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

/// Whether an error means that the store changed nothing, and that it may add the same sample later.
fn is_unchanged(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable(_)
            | StoreError::Busy(_)
            | StoreError::Full(_)
            | StoreError::Conflict(_)
            | StoreError::Denied(_)
    )
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
    use std::sync::Mutex;

    use super::*;
    use crate::{
        model::cleanup_status::{DeploymentStats, GroupStats},
        store::Clock,
    };

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
        let mut sampler = StatisticsSampler::new(Some(&metrics), cleanup.clone());
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

    #[test]
    fn without_metrics_a_sample_has_no_counts() {
        let cleanup = CleanupStatus::default();
        cleanup.set_deployment(DeploymentStats {
            active_services: Some(7),
            ..DeploymentStats::default()
        });
        let sample = StatisticsSampler::new(None, cleanup).sample(None);
        let expected = Statistics {
            active_services: Some(7),
            bookings: Some(0),
            ..Statistics::default()
        };
        assert_eq!(sample, expected);
    }

    /// A store that fails with these errors, the first one first, and records the samples that it adds.
    struct FailingStore {
        errors: Mutex<Vec<Option<StoreError>>>,
        added: Mutex<Vec<(u64, Duration)>>,
    }

    impl Clock for FailingStore {
        fn now(&self) -> Result<Timestamp, StoreError> {
            Ok(Timestamp::from_millis(1_795_455_000_000))
        }
    }

    #[async_trait::async_trait]
    impl StatisticsStore for FailingStore {
        async fn add_statistics(
            &self,
            sample: &Statistics,
            age: Duration,
        ) -> Result<Timestamp, StoreError> {
            let mut errors = self.errors.lock().unwrap();
            if let Some(Some(error)) = (!errors.is_empty()).then(|| errors.remove(0)) {
                return Err(error);
            }
            self.added.lock().unwrap().push((sample.successes, age));
            self.now()
        }

        async fn statistics(&self, _: StatisticsRange) -> Result<StatisticsHistory, StoreError> {
            Err(StoreError::Bug("not used".to_owned()))
        }
    }

    #[tokio::test]
    async fn a_sample_that_was_not_added_is_added_later_to_its_interval() {
        let unavailable = || Some(StoreError::Unavailable("closed".to_owned()));
        let unknown = || Some(StoreError::Unknown("timeout".to_owned()));
        let store = FailingStore {
            // The first sample fails twice, the second one gets no response.
            errors: Mutex::new(vec![unavailable(), unavailable(), None, unknown()]),
            added: Mutex::default(),
        };
        let mut sampler = StatisticsSampler::new(None, CleanupStatus::default());
        let ages = [30, 20, 10, 0].map(Duration::from_secs);
        for (successes, age) in (1..).zip(ages) {
            let sample = Statistics {
                successes,
                ..Statistics::default()
            };
            let taken_at = Instant::now().checked_sub(age).unwrap();
            sampler.pending.push_back((taken_at, sample));
            let result = sampler.add_pending(&store).await;
            assert_eq!(result.is_ok(), successes == 4, "{successes}: {result:?}");
        }
        let added = store.added.into_inner().unwrap();
        let seconds: Vec<_> = added.iter().map(|(n, age)| (*n, age.as_secs())).collect();
        assert_eq!(seconds, [(1, 30), (3, 10), (4, 0)]);
        assert!(sampler.pending.is_empty());
    }
}
