//! Cached state for outages of the store: the start and reason of the outage, sessions, the last statistics, and this
//! replica.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Admin,
    problems::{Problem, current_problems, replica_problems},
    replica::Replica,
    replica_problems::ProblemSources,
    used_groups::MostUsedGroups,
};
use crate::{
    model::{
        StoreError, Timestamp,
        readiness::{Readiness, Reason, Status},
    },
    store::WallClock,
};

/// Maximum number of cached sessions.
const MAX_CACHED_SESSIONS: usize = 1_000;

/// An outage of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOutage {
    /// The address of the store, without credentials.
    pub store: String,
    /// When this replica detected it.
    pub since: Timestamp,
    /// The error.
    pub error: String,
}

/// Statistics of the installation at one time.
#[derive(Debug, Clone)]
pub struct InstallationStats {
    /// The time.
    pub at: Timestamp,
    /// The number of active services.
    pub services: u64,
    /// The response time of the store.
    pub latency: Duration,
    /// The running replicas.
    pub replicas: Vec<Replica>,
    /// The groups with the highest usage.
    pub groups: MostUsedGroups,
    /// The current problems, the most severe first.
    pub problems: Vec<Problem>,
}

/// The data of the Overview page.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The statistics; absent if none were read before the outage, or if they cannot be read for another reason.
    pub stats: Option<Arc<InstallationStats>>,
    /// The outage because of which the statistics are outdated.
    pub outage: Option<StoreOutage>,
    /// The current state of this replica.
    pub own_replica: Option<Replica>,
    /// The current problems, the most severe first. If the statistics cannot be read, this is the first one, and the others
    /// are those of this replica.
    pub problems: Vec<Problem>,
}

/// The cached state, shared by all workers.
#[derive(Default)]
pub struct StoreStatus {
    store: String,
    readiness: Readiness,
    state: Mutex<CachedState>,
}

#[derive(Default)]
struct CachedState {
    failure: Option<(Timestamp, String)>,
    own_replica: Option<Replica>,
    /// In what the own replica detects problems.
    problem_sources: Option<Arc<ProblemSources>>,
    stats: Option<Arc<InstallationStats>>,
    /// Stored sessions by key, with the time until which the cache entry is valid.
    sessions: HashMap<String, (String, Instant)>,
}

impl StoreStatus {
    /// The status of the store at this address. While `readiness` reports an outage, its start is that of the outage.
    #[must_use]
    pub fn new(store: String, readiness: Readiness) -> Self {
        Self {
            store,
            readiness,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, CachedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the result of a store operation.
    pub(super) fn record<T>(&self, result: &Result<T, StoreError>) {
        match result {
            Ok(_) => self.lock().failure = None,
            Err(error) if error.is_unavailable() => drop(self.record_outage(error)),
            Err(_) => {}
        }
    }

    fn record_outage(&self, error: &StoreError) -> StoreOutage {
        let reported = self.readiness.last().as_ref().and_then(outage_start);
        let mut state = self.lock();
        let (since, error) = state
            .failure
            .get_or_insert_with(|| (WallClock::default().now(), error.to_string()));
        StoreOutage {
            store: self.store.clone(),
            since: reported.unwrap_or(*since),
            error: error.clone(),
        }
    }

    pub(super) fn set_own_replica(&self, own: &Replica) {
        self.lock().own_replica = Some(own.clone());
    }

    /// The overview while statistics cannot be read: the last ones during an outage, none if it is another error, which
    /// needs attention.
    fn overview_without_store(&self, error: &StoreError) -> Overview {
        let outage = error.is_unavailable().then(|| self.record_outage(error));
        let problems = self.own_problems(error);
        let state = self.lock();
        Overview {
            stats: state.stats.clone().filter(|_| outage.is_some()),
            own_replica: state.own_replica.clone(),
            outage,
            problems,
        }
    }

    pub(super) fn set_problem_sources(&self, sources: Arc<ProblemSources>) {
        self.lock().problem_sources = Some(sources);
    }

    /// The problems of this replica, detected now, and the error because of which others are unknown.
    fn own_problems(&self, error: &StoreError) -> Vec<Problem> {
        let (own, sources) = {
            let state = self.lock();
            (state.own_replica.clone(), state.problem_sources.clone())
        };
        let own = own.map(|mut own| {
            if let Some(sources) = sources {
                own.stats.problems = sources.detect();
            }
            own
        });
        let mut problems = vec![Problem::of_store(error)];
        problems.extend(replica_problems(own.as_slice()));
        problems
    }

    /// Caches a session for its idle timeout, or removes it.
    fn cache_session(
        &self,
        session_key: &str,
        stored_session: Option<&String>,
        idle: Option<Duration>,
    ) {
        let mut state = self.lock();
        let Some(stored_session) = stored_session else {
            state.sessions.remove(session_key);
            return;
        };
        let now = Instant::now();
        if state.sessions.len() >= MAX_CACHED_SESSIONS && !state.sessions.contains_key(session_key)
        {
            state.sessions.retain(|_, (_, until)| *until > now);
            if state.sessions.len() >= MAX_CACHED_SESSIONS {
                return;
            }
        }
        if let Some(idle) = idle {
            let entry = (stored_session.clone(), now + idle);
            state.sessions.insert(session_key.to_owned(), entry);
        }
    }

    fn cached_session(&self, session_key: &str) -> Option<String> {
        let state = self.lock();
        let (stored_session, until) = state.sessions.get(session_key)?;
        (*until > Instant::now()).then(|| stored_session.clone())
    }

    pub(super) fn remove_session(&self, session_key: &str) {
        self.lock().sessions.remove(session_key);
    }
}

/// The time since which requests fail because of the store, as `/readyz` returns it; `None` if they do not.
fn outage_start(status: &Status) -> Option<Timestamp> {
    let is_outage = |reason: Reason| {
        !matches!(
            reason,
            Reason::Draining
                | Reason::Offline
                | Reason::MissingRights
                | Reason::ClockSkew
                | Reason::Starting
                | Reason::RightsIncomplete
                | Reason::SentinelsUnreachable
                | Reason::Overloaded
                | Reason::StoreFull
        )
    };
    let mut findings = status.findings.iter();
    let (outage, since) = findings.find(|(finding, _)| is_outage(finding.reason))?;
    let is_main = status.main_reason() == Some(outage.reason);
    let since = if is_main { status.since } else { *since };
    Some(Timestamp::from_millis(since.as_millisecond()))
}

impl Admin {
    /// The stored session or, during an outage, the cached session and the outage.
    pub(super) fn session_or_cached(
        &self,
        session_key: &str,
        result: Result<Option<String>, StoreError>,
        idle: Option<Duration>,
    ) -> Result<(Option<String>, Option<StoreOutage>), StoreError> {
        let status = &self.context.store_status;
        status.record(&result);
        match result {
            Ok(stored_session) => {
                status.cache_session(session_key, stored_session.as_ref(), idle);
                Ok((stored_session, None))
            }
            Err(error) if error.is_unavailable() => match status.cached_session(session_key) {
                Some(stored_session) => {
                    Ok((Some(stored_session), Some(status.record_outage(&error))))
                }
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The current statistics, with the `max_groups` groups of the highest usage. During an outage, the last
    /// statistics. Their error is one of the problems. The times of failed bookings of all groups, which are many commands,
    /// are at most `max_age` old.
    pub async fn overview(&self, max_groups: usize, max_age: Duration) -> Overview {
        let status = &self.context.store_status;
        let current = self.read_stats(max_groups, max_age).await;
        status.record(&current);
        match current {
            Ok(figures) => {
                let figures = Arc::new(figures);
                let mut state = status.lock();
                state.stats = Some(Arc::clone(&figures));
                Overview {
                    problems: figures.problems.clone(),
                    stats: Some(figures),
                    own_replica: state.own_replica.clone(),
                    outage: None,
                }
            }
            Err(error) => status.overview_without_store(&error),
        }
    }

    async fn read_stats(
        &self,
        max_groups: usize,
        max_age: Duration,
    ) -> Result<InstallationStats, StoreError> {
        let started = Instant::now();
        let services = self.store.count_services().await?;
        let latency = started.elapsed();
        let replicas = self.replicas().await?;
        let groups = self.most_used_groups(max_groups, max_age).await?;
        let at = self.store.now()?;
        Ok(InstallationStats {
            at,
            services,
            latency,
            problems: current_problems(&replicas, &groups, at),
            replicas,
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::readiness::Finding;

    #[tokio::test]
    async fn outage_starts_when_the_readiness_reports_it() {
        let readiness = Readiness::default();
        let status = StoreStatus::new("redis".to_owned(), readiness.clone());
        let error = StoreError::Unavailable("closed".to_owned());
        let shown = || status.record_outage(&error).since;
        let assess = |reasons: &[Reason]| {
            let findings = reasons.iter().map(|reason| Finding::new(*reason, ""));
            let since = readiness.assess(findings.collect()).since;
            Timestamp::from_millis(since.as_millisecond())
        };
        let own = shown();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assess(&[Reason::Offline, Reason::Starting, Reason::StoreFull]);
        assert_eq!(shown(), own);
        let reported = assess(&[Reason::StoreUnreachable]);
        assert!(reported > own);
        assert_eq!(shown(), reported);
        tokio::time::sleep(Duration::from_millis(5)).await;
        // The clock skew is the main reason now, but not of this outage.
        assess(&[Reason::ClockSkew, Reason::StoreUnreachable]);
        assert_eq!(shown(), reported);
        assess(&[]);
        assert_eq!(shown(), own);
    }
}
