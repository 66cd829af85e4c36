//! Where state lives, how a worker gets to it, and what goes on there whether requests come or not.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{free_memory::return_freed_memory, open_redis};
use crate::{
    model::readiness::Readiness,
    service::{
        AdminContext, Backends, CatalogReloader, ClockSkew, CurrentCatalog, Replica,
        SessionTerminator, monitor_clock_skew, monitor_readiness,
    },
    settings::Settings,
    store::{AdminStore, StoreError, WallClock, memory::MemoryStore},
};

/// Where state lives, and how a worker gets to it.
#[derive(Clone)]
pub(super) enum StoreBackend {
    Memory(Arc<MemoryStore>),
    Redis(Arc<Settings>),
}

impl StoreBackend {
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

    pub(super) async fn open(&self) -> Result<Arc<dyn AdminStore>, StoreError> {
        match self {
            Self::Memory(store) => Ok(Arc::clone(store) as Arc<dyn AdminStore>),
            Self::Redis(settings) => Ok(Arc::new(open_redis(settings).await?)),
        }
    }
}

/// What goes on whether requests come or not.
pub(super) struct BackgroundTasks {
    pub(super) store: Arc<dyn AdminStore>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl BackgroundTasks {
    /// Cleans up after services, and keeps in force what operators make, which it looks for before it
    /// returns.
    pub(super) async fn start(
        backing: &StoreBackend,
        settings: &Settings,
        office: &AdminContext,
        backends: &Arc<Backends>,
        readiness: &Readiness,
    ) -> Result<Self, StoreError> {
        let in_force = &office.current_catalog;
        let ender = SessionTerminator::new(in_force.clone(), Arc::clone(backends));
        let (store, cleaning): (Arc<dyn AdminStore>, _) = match backing {
            StoreBackend::Memory(store) => {
                let store = Arc::clone(store);
                let cleaning = tokio::spawn(
                    Arc::clone(&store).clean_up(in_force.subscribe_groups(), Arc::new(ender)),
                );
                (store, cleaning)
            }
            StoreBackend::Redis(settings) => {
                let store = Arc::new(open_redis(settings).await?);
                let (groups, ender) = (in_force.subscribe_groups(), Arc::new(ender));
                let cleaning = Arc::clone(&store).clean_up(groups, ender, readiness.clone());
                (store, tokio::spawn(cleaning))
            }
        };
        let (file, rules) = (
            Arc::clone(&office.file_catalog),
            office.catalog_context.clone(),
        );
        let mut keeper = CatalogReloader::new(
            file,
            rules,
            in_force.clone(),
            settings.catalog.poll_interval,
        );
        if let Err(error) = keeper.poll(&*store).await {
            debug!(%error, "what operators made is looked for again");
        }
        let keeping = tokio::spawn(keeper.run(Arc::<dyn AdminStore>::clone(&store)));
        let returning = tokio::spawn(return_freed_memory());
        let mut tasks = vec![cleaning, keeping, returning];
        if settings.admin.credentials.password.is_some() {
            let (trend, in_force) = (Arc::clone(&office.group_usage), in_force.clone());
            let store = Arc::clone(&store);
            let looking = async move { trend.run(&*store, &in_force).await };
            tasks.push(tokio::spawn(looking));
        }
        Ok(Self { store, tasks })
    }

    /// From now on the log has each change of the readiness.
    pub(super) fn monitor_readiness(&mut self, readiness: Readiness, in_force: CurrentCatalog) {
        let store = Arc::clone(&self.store);
        let monitor = monitor_readiness(store, in_force, readiness);
        self.tasks.push(tokio::spawn(monitor));
    }

    /// From now on others know that `replica` is up.
    pub(super) fn send_heartbeats(
        &mut self,
        replica: Replica,
        office: Arc<AdminContext>,
        skew: ClockSkew,
    ) {
        let store = Arc::clone(&self.store);
        let saying = async move {
            let AdminContext {
                current_catalog: in_force,
                store_status: status,
                ..
            } = &*office;
            replica
                .send_heartbeats(&*store, in_force, status, &skew)
                .await;
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
