//! What this replica knows while the store is away: since when and why, who was signed in, the last figures,
//! and its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Admin, AdminError, bookings::MostUsedGroups, replicas::Replica};
use crate::store::{StoreError, Timestamp, WallClock};

/// Sign-ins that are remembered at most.
const MAX_CACHED_SESSIONS: usize = 1_000;

/// A store that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOutage {
    /// Where it is, without credentials.
    pub store: String,
    /// When this replica noticed.
    pub since: Timestamp,
    /// What it met.
    pub error: String,
}

/// How the installation is doing, at one moment.
#[derive(Debug, Clone)]
pub struct InstallationStats {
    /// When.
    pub at: Timestamp,
    /// Services that live.
    pub services: u64,
    /// How long the store took to answer.
    pub latency: Duration,
    /// The replicas that are up.
    pub replicas: Vec<Replica>,
    /// The fullest groups.
    pub groups: MostUsedGroups,
}

/// What can be shown of the installation.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The figures; absent if there were none before the store went away.
    pub stats: Option<Arc<InstallationStats>>,
    /// Why they are not of now.
    pub outage: Option<StoreOutage>,
    /// This replica, as it is now.
    pub own_replica: Option<Replica>,
}

/// What all workers know of the store.
#[derive(Debug, Default)]
pub struct StoreStatus {
    store: String,
    state: Mutex<CachedState>,
}

#[derive(Debug, Default)]
struct CachedState {
    failure: Option<(Timestamp, String)>,
    own_replica: Option<Replica>,
    stats: Option<Arc<InstallationStats>>,
    /// What the store keeps of a visit, by its name, and until when it counts here.
    sessions: HashMap<String, (String, Instant)>,
}

impl StoreStatus {
    /// Of the store at this place.
    #[must_use]
    pub fn new(store: String) -> Self {
        Self {
            store,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, CachedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the store answered to anything.
    pub(super) fn record<T>(&self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) => self.lock().failure = None,
            Err(error) if error.is_unavailable() => drop(self.record_outage(error)),
            Err(_) => {}
        }
    }

    fn record_outage(&self, error: &StoreError) -> StoreOutage {
        let mut known = self.lock();
        let (since, error) = known
            .failure
            .get_or_insert_with(|| (WallClock::default().now(), error.to_string()));
        StoreOutage {
            store: self.store.clone(),
            since: *since,
            error: error.clone(),
        }
    }

    pub(super) fn set_own_replica(&self, own: &Replica) {
        self.lock().own_replica = Some(own.clone());
    }

    /// Remembers a visit that the store knows, for as long as it may be idle, or forgets it.
    fn cache_session(&self, name: &str, kept: Option<&String>, idle: Option<Duration>) {
        let mut known = self.lock();
        let Some(kept) = kept else {
            known.sessions.remove(name);
            return;
        };
        let now = Instant::now();
        if known.sessions.len() >= MAX_CACHED_SESSIONS && !known.sessions.contains_key(name) {
            known.sessions.retain(|_, (_, until)| *until > now);
            if known.sessions.len() >= MAX_CACHED_SESSIONS {
                return;
            }
        }
        if let Some(idle) = idle {
            let visit = (kept.clone(), now + idle);
            known.sessions.insert(name.to_owned(), visit);
        }
    }

    fn cached_session(&self, name: &str) -> Option<String> {
        let known = self.lock();
        let (kept, until) = known.sessions.get(name)?;
        (*until > Instant::now()).then(|| kept.clone())
    }

    pub(super) fn remove_session(&self, name: &str) {
        self.lock().sessions.remove(name);
    }
}

impl Admin {
    /// What the store keeps of a visit; while it is away, what this replica remembers, and that it is away.
    pub(super) fn session_or_cached(
        &self,
        name: &str,
        answer: Result<Option<String>, StoreError>,
        idle: Option<Duration>,
    ) -> Result<(Option<String>, Option<StoreOutage>), StoreError> {
        let status = &self.context.store_status;
        status.record(&answer);
        match answer {
            Ok(kept) => {
                status.cache_session(name, kept.as_ref(), idle);
                Ok((kept, None))
            }
            Err(error) if error.is_unavailable() => match status.cached_session(name) {
                Some(kept) => Ok((Some(kept), Some(status.record_outage(&error)))),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// How the installation is doing now or, while the store is away, was doing last, with the `most`
    /// fullest groups.
    ///
    /// # Errors
    /// What the store says, if it is not away.
    pub async fn overview(&self, most: usize) -> Result<Overview, AdminError> {
        let status = &self.context.store_status;
        let figures = self.read_stats(most).await;
        let away = match &figures {
            Err(AdminError::Service(crate::service::ServiceError::Store(error)))
                if error.is_unavailable() =>
            {
                Some(status.record_outage(error))
            }
            _ => None,
        };
        let mut known = status.lock();
        if away.is_none() {
            known.stats = Some(Arc::new(figures?));
            known.failure = None;
        }
        Ok(Overview {
            stats: known.stats.clone(),
            own_replica: known.own_replica.clone(),
            outage: away,
        })
    }

    async fn read_stats(&self, most: usize) -> Result<InstallationStats, AdminError> {
        let asked = Instant::now();
        let services = self.count_services().await?;
        let latency = asked.elapsed();
        Ok(InstallationStats {
            at: self.store.now()?,
            services,
            latency,
            replicas: self.replicas().await?,
            groups: self.most_used_groups(most).await?,
        })
    }
}
