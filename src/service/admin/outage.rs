//! What this replica knows while the store is away: since when and why, who was signed in, the last figures,
//! and its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Admin, AdminError, bookings::Fullest, replicas::Replica};
use crate::store::{Moment, StoreError, WallClock};

/// Sign-ins that are remembered at most.
const MAX_VISITS: usize = 1_000;

/// A store that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAway {
    /// Where it is, without credentials.
    pub store: String,
    /// When this replica noticed.
    pub since: Moment,
    /// What it met.
    pub error: String,
}

/// How the installation is doing, at one moment.
#[derive(Debug, Clone)]
pub struct Figures {
    /// When.
    pub at: Moment,
    /// Services that live.
    pub services: u64,
    /// How long the store took to answer.
    pub latency: Duration,
    /// The replicas that are up.
    pub replicas: Vec<Replica>,
    /// The fullest groups.
    pub groups: Fullest,
}

/// What can be shown of the installation.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The figures; absent if there were none before the store went away.
    pub figures: Option<Arc<Figures>>,
    /// Why they are not of now.
    pub away: Option<StoreAway>,
    /// This replica, as it is now.
    pub own: Option<Replica>,
}

/// What all workers know of the store.
#[derive(Debug, Default)]
pub struct StoreStatus {
    store: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    failing: Option<(Moment, String)>,
    own: Option<Replica>,
    figures: Option<Arc<Figures>>,
    /// What the store keeps of a visit, by its name, and until when it counts here.
    visits: HashMap<String, (String, Instant)>,
}

impl StoreStatus {
    /// Of the store at this place.
    #[must_use]
    pub fn new(store: String) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the store answered to anything.
    pub(super) fn note<T>(&self, answer: &Result<T, StoreError>) {
        match answer {
            Ok(_) => self.known().failing = None,
            Err(error) if error.is_away() => drop(self.failed(error)),
            Err(_) => {}
        }
    }

    fn failed(&self, error: &StoreError) -> StoreAway {
        let mut known = self.known();
        let (since, error) = known
            .failing
            .get_or_insert_with(|| (WallClock::default().now(), error.to_string()));
        StoreAway {
            store: self.store.clone(),
            since: *since,
            error: error.clone(),
        }
    }

    pub(super) fn set_own(&self, own: &Replica) {
        self.known().own = Some(own.clone());
    }

    /// Remembers a visit that the store knows, for as long as it may be idle, or forgets it.
    fn remember(&self, name: &str, kept: Option<&String>, idle: Option<Duration>) {
        let mut known = self.known();
        let Some(kept) = kept else {
            known.visits.remove(name);
            return;
        };
        let now = Instant::now();
        if known.visits.len() >= MAX_VISITS && !known.visits.contains_key(name) {
            known.visits.retain(|_, (_, until)| *until > now);
            if known.visits.len() >= MAX_VISITS {
                return;
            }
        }
        if let Some(idle) = idle {
            let visit = (kept.clone(), now + idle);
            known.visits.insert(name.to_owned(), visit);
        }
    }

    fn recall(&self, name: &str) -> Option<String> {
        let known = self.known();
        let (kept, until) = known.visits.get(name)?;
        (*until > Instant::now()).then(|| kept.clone())
    }

    pub(super) fn forget(&self, name: &str) {
        self.known().visits.remove(name);
    }
}

impl Admin {
    /// What the store keeps of a visit; while it is away, what this replica remembers, and that it is away.
    pub(super) fn visit_known(
        &self,
        name: &str,
        answer: Result<Option<String>, StoreError>,
        idle: Option<Duration>,
    ) -> Result<(Option<String>, Option<StoreAway>), StoreError> {
        let status = &self.office.status;
        status.note(&answer);
        match answer {
            Ok(kept) => {
                status.remember(name, kept.as_ref(), idle);
                Ok((kept, None))
            }
            Err(error) if error.is_away() => match status.recall(name) {
                Some(kept) => Ok((Some(kept), Some(status.failed(&error)))),
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
        let status = &self.office.status;
        let figures = self.figures(most).await;
        let away = match &figures {
            Err(AdminError::Service(crate::service::ServiceError::Store(error)))
                if error.is_away() =>
            {
                Some(status.failed(error))
            }
            _ => None,
        };
        let mut known = status.known();
        if away.is_none() {
            known.figures = Some(Arc::new(figures?));
            known.failing = None;
        }
        Ok(Overview {
            figures: known.figures.clone(),
            own: known.own.clone(),
            away,
        })
    }

    async fn figures(&self, most: usize) -> Result<Figures, AdminError> {
        let asked = Instant::now();
        let services = self.count_live().await?;
        let latency = asked.elapsed();
        Ok(Figures {
            at: self.store.now()?,
            services,
            latency,
            replicas: self.replicas().await?,
            groups: self.fullest(most).await?,
        })
    }
}
