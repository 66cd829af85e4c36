//! Where state lives, how a worker gets to it, and what goes on there whether requests come or not.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{free_memory::return_freed_memory, open_redis};
use crate::{
    model::readiness::Readiness,
    service::{
        Backends, CatalogKeeper, ClockSkew, InForce, Office, Replica, SessionEnder,
        monitor_clock_skew, monitor_readiness,
    },
    settings::Settings,
    store::{StoreError, WallClock, WholeStore, memory::MemoryStore},
};

/// Where state lives, and how a worker gets to it.
#[derive(Clone)]
pub(super) enum Backing {
    Memory(Arc<MemoryStore>),
    Redis(Arc<Settings>),
}

impl Backing {
    pub(super) fn new(settings: &Settings) -> Self {
        if !settings.redis.urls.is_empty() {
            return Self::Redis(Arc::new(settings.clone()));
        }
        warn!("no redis.url is set: data lives in this process only and ends with it");
        let store = MemoryStore::new(settings.memory.limit_bytes, settings.limits.keys);
        Self::Memory(Arc::new(store))
    }

    /// What it is called in traces.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        }
    }

    pub(super) async fn open(&self) -> Result<Arc<dyn WholeStore>, StoreError> {
        match self {
            Self::Memory(store) => Ok(Arc::clone(store) as Arc<dyn WholeStore>),
            Self::Redis(settings) => Ok(Arc::new(open_redis(settings).await?)),
        }
    }
}

/// What goes on whether requests come or not.
pub(super) struct Upkeep {
    pub(super) store: Arc<dyn WholeStore>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Upkeep {
    /// Cleans up after services, and keeps in force what operators make, which it looks for before it
    /// returns.
    pub(super) async fn start(
        backing: &Backing,
        settings: &Settings,
        office: &Office,
        backends: &Arc<Backends>,
        readiness: &Readiness,
    ) -> Result<Self, StoreError> {
        let in_force = &office.in_force;
        let ender = SessionEnder::new(in_force.clone(), Arc::clone(backends));
        let (store, cleaning): (Arc<dyn WholeStore>, _) = match backing {
            Backing::Memory(store) => {
                let store = Arc::clone(store);
                let cleaning =
                    tokio::spawn(Arc::clone(&store).clean_up(in_force.groups(), Arc::new(ender)));
                (store, cleaning)
            }
            Backing::Redis(settings) => {
                let store = Arc::new(open_redis(settings).await?);
                let (groups, ender) = (in_force.groups(), Arc::new(ender));
                let cleaning = Arc::clone(&store).clean_up(groups, ender, readiness.clone());
                (store, tokio::spawn(cleaning))
            }
        };
        let (file, rules) = (Arc::clone(&office.file), office.rules.clone());
        let mut keeper = CatalogKeeper::new(file, rules, in_force.clone(), settings.catalog.look);
        if let Err(error) = keeper.look(&*store).await {
            debug!(%error, "what operators made is looked for again");
        }
        let keeping = tokio::spawn(keeper.keep(Arc::<dyn WholeStore>::clone(&store)));
        let returning = tokio::spawn(return_freed_memory());
        let mut tasks = vec![cleaning, keeping, returning];
        if settings.admin.credentials.password.is_some() {
            let (trend, in_force) = (Arc::clone(&office.trend), in_force.clone());
            let store = Arc::clone(&store);
            let looking = async move { trend.keep(&*store, &in_force).await };
            tasks.push(tokio::spawn(looking));
        }
        Ok(Self { store, tasks })
    }

    /// From now on the log has each change of the readiness.
    pub(super) fn monitor(&mut self, readiness: Readiness, in_force: InForce) {
        let store = Arc::clone(&self.store);
        let monitor = monitor_readiness(store, in_force, readiness);
        self.tasks.push(tokio::spawn(monitor));
    }

    /// From now on others know that `replica` is up.
    pub(super) fn announce(&mut self, replica: Replica, office: Arc<Office>, skew: ClockSkew) {
        let store = Arc::clone(&self.store);
        let saying = async move {
            let Office {
                in_force, status, ..
            } = &*office;
            replica.say_so(&*store, in_force, status, &skew).await;
        };
        self.tasks.push(tokio::spawn(saying));
    }

    /// From now on `wall` is compared with the clock of Redis. The embedded store runs by the clock of this
    /// machine.
    pub(super) fn monitor_clock(
        &mut self,
        settings: &Settings,
        wall: WallClock,
        readiness: Readiness,
    ) -> ClockSkew {
        let skew = ClockSkew::default();
        if settings.redis.urls.is_empty() {
            return skew;
        }
        let (store, measured) = (Arc::clone(&self.store), skew.clone());
        let max_skew = settings.redis.max_clock_skew;
        let monitoring = async move {
            monitor_clock_skew(&*store, wall, max_skew, measured, readiness).await;
        };
        self.tasks.push(tokio::spawn(monitoring));
        skew
    }
}
