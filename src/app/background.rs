//! The store of the workers, and the background tasks of the process.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{error::StartError, free_memory::return_freed_memory};
use crate::{
    backend::Backends,
    model::{
        StoreError, cleanup_status::CleanupStatus, readiness::Readiness, webhook::WebhookLimits,
    },
    service::{
        AdminContext, AgentContext, CatalogReloader, ChangeListeners, ClockSkew, CurrentCatalog,
        FailedMatches, Replica, SessionTerminator, StatisticsSampler, StatsSampler,
        WebhookDeliverer, WebhookStatistics, monitor_clock_skew, monitor_readiness,
        unload_unused_phone_library,
    },
    settings::Settings,
    store::{AdminStore, WallClock, WebhookHub, memory::MemoryStore, redis::RedisStore},
    telemetry::metrics::{MatchMetrics, Metrics, RedisMetrics, WebhookMetrics},
};

/// The configured store, which each worker opens.
#[derive(Clone)]
pub(super) enum StoreBackend {
    Memory(Arc<MemoryStore>),
    Redis(Arc<Settings>, RedisMetrics, WebhookHub),
}

impl StoreBackend {
    pub(super) fn new(settings: &Settings, metrics: &Metrics) -> Self {
        let limits = WebhookLimits {
            max_pending: settings.webhooks.max_pending,
            max_dead_letters: settings.webhooks.max_dead_letters,
        };
        let hub = WebhookHub::new(limits, &metrics.webhooks);
        if !settings.redis.urls.is_empty() {
            return Self::Redis(Arc::new(settings.clone()), metrics.redis.clone(), hub);
        }
        warn!("redis.url is not set: all data is in this process only and is lost when it ends");
        let store = MemoryStore::new(settings.memory.limit_bytes, settings.limits.keys);
        Self::Memory(Arc::new(store.with_webhooks(hub)))
    }

    /// The name in traces.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(..) => "redis",
        }
    }

    pub(super) async fn open(&self) -> Result<Arc<dyn AdminStore>, StoreError> {
        match self {
            Self::Memory(store) => Ok(Arc::clone(store) as Arc<dyn AdminStore>),
            Self::Redis(settings, metrics, hub) => {
                let store = open_redis(settings, metrics).await?;
                Ok(Arc::new(store.with_webhooks(hub.clone())))
            }
        }
    }
}

/// Tasks that run independently of requests.
pub(super) struct BackgroundTasks {
    pub(super) store: Arc<dyn AdminStore>,
    pub(super) cleanup: CleanupStatus,
    pub(super) tasks: Vec<JoinHandle<()>>,
    /// The deliverer of webhooks, which is stopped before the other tasks.
    pub(super) webhooks: Option<WebhookDeliverer>,
}

impl BackgroundTasks {
    /// Starts the cleanup and the reload of the catalog, whose stored entries are loaded before this returns.
    pub(super) async fn start(
        store_backend: &StoreBackend,
        settings: &Settings,
        admin_context: &AdminContext,
        backends: &Arc<Backends>,
        readiness: &Readiness,
    ) -> Result<Self, StoreError> {
        let current_catalog = &admin_context.current_catalog;
        let terminator = SessionTerminator::new(current_catalog.clone(), Arc::clone(backends));
        let (store, status, cleanup): (Arc<dyn AdminStore>, _, _) = match store_backend {
            StoreBackend::Memory(store) => {
                let (store, status) = (Arc::clone(store), store.cleanup_status().clone());
                let groups = current_catalog.subscribe_groups();
                let cleanup = Arc::clone(&store).clean_up(groups, Arc::new(terminator));
                (store, status, tokio::spawn(cleanup))
            }
            StoreBackend::Redis(settings, metrics, hub) => {
                let store = open_redis(settings, metrics).await?;
                let store = Arc::new(store.with_webhooks(hub.clone()));
                let status = store.cleanup_status().clone();
                let groups = current_catalog.subscribe_groups();
                let terminator = Arc::new(terminator);
                let cleanup = Arc::clone(&store).clean_up(groups, terminator, readiness.clone());
                (store, status, tokio::spawn(cleanup))
            }
        };
        let mut reloader = CatalogReloader::new(
            Arc::clone(&admin_context.file_catalog),
            admin_context.catalog_context.clone(),
            current_catalog.clone(),
            settings.catalog.poll_interval,
        );
        if let Err(error) = reloader.poll(&*store).await {
            debug!(%error, "stored catalog not loaded, retrying");
        }
        let reload = tokio::spawn(reloader.run(Arc::<dyn AdminStore>::clone(&store)));
        let purge = tokio::spawn(return_freed_memory());
        let unload = tokio::spawn(unload_unused_phone_library());
        let mut tasks = vec![cleanup, reload, purge, unload];
        if settings.is_admin_enabled() {
            let usage = Arc::clone(&admin_context.group_usage);
            let (store, current_catalog) = (Arc::clone(&store), current_catalog.clone());
            let sampling = async move { usage.run(&*store, &current_catalog).await };
            tasks.push(tokio::spawn(sampling));
        }
        Ok(Self {
            store,
            cleanup: status,
            tasks,
            webhooks: None,
        })
    }

    /// Logs each change of the readiness.
    pub(super) fn monitor_readiness(
        &mut self,
        readiness: Readiness,
        current_catalog: CurrentCatalog,
    ) {
        let store = Arc::clone(&self.store);
        let monitor = monitor_readiness(store, current_catalog, readiness);
        self.tasks.push(tokio::spawn(monitor));
    }

    /// Wakes the listeners of chats, which this returns, and follows the open chats for the event streams of agents if
    /// there are any.
    pub(super) fn follow_chats(
        &mut self,
        agents: Option<&AgentContext>,
        readiness: &Readiness,
    ) -> ChangeListeners {
        let all = ChangeListeners::default();
        let (listeners, readiness) = (all.clone(), readiness.clone());
        let store = Arc::clone(&self.store);
        let parts = move || (Arc::clone(&store), listeners.clone(), readiness.clone());
        let (store, listeners, readiness) = parts();
        let wake = async move { listeners.run(store, readiness).await };
        self.tasks.push(tokio::spawn(wake));
        if let Some(chats) = agents.map(|agents| agents.open_chats().clone()) {
            let (store, listeners, readiness) = parts();
            let follow = async move { chats.run(store, listeners, readiness).await };
            self.tasks.push(tokio::spawn(follow));
        }
        all
    }

    /// Delivers events to the webhooks of the catalog. Returns their state.
    ///
    /// # Errors
    /// [`StartError::Webhooks`] if the configured certificates cannot be used.
    pub(super) fn deliver_webhooks(
        &mut self,
        settings: &Settings,
        admin_context: &AdminContext,
        metrics: &WebhookMetrics,
    ) -> Result<WebhookStatistics, StartError> {
        let (store, catalog) = (
            Arc::clone(&self.store),
            admin_context.current_catalog.clone(),
        );
        let deliverer =
            WebhookDeliverer::start(store, catalog.clone(), &settings.webhooks, metrics);
        self.webhooks = Some(deliverer.map_err(StartError::Webhooks)?);
        let statistics = WebhookStatistics::default();
        let (store, cleanup) = (Arc::clone(&self.store), self.cleanup.clone());
        let sampling = statistics.clone().run(store, catalog, cleanup);
        self.tasks.push(tokio::spawn(sampling));
        Ok(statistics)
    }

    /// Records failed matches, which requests add to the result.
    pub(super) fn record_failed_matches(&mut self, metrics: &MatchMetrics) -> FailedMatches {
        let failed_matches = FailedMatches::new(metrics);
        let recording = failed_matches.clone().run(Arc::clone(&self.store));
        self.tasks.push(tokio::spawn(recording));
        failed_matches
    }

    /// Publishes `replica` to the other replicas.
    pub(super) fn send_heartbeats(
        &mut self,
        replica: Replica,
        admin_context: Arc<AdminContext>,
        sampler: StatsSampler,
    ) {
        let store = Arc::clone(&self.store);
        let heartbeats = async move {
            replica
                .send_heartbeats(&*store, &admin_context, sampler)
                .await;
        };
        self.tasks.push(tokio::spawn(heartbeats));
    }

    /// Adds samples of `metrics`, if they are recorded, to the statistics of all replicas, if there is a console that shows
    /// them.
    pub(super) fn sample_statistics(&mut self, settings: &Settings, metrics: &Metrics) {
        if settings.is_admin_enabled() {
            let metrics = settings.metrics.enabled.then_some(metrics);
            let sampler = StatisticsSampler::new(metrics, self.cleanup.clone());
            self.tasks
                .push(tokio::spawn(sampler.run(Arc::clone(&self.store))));
        }
    }

    /// Compares `wall` with the clock of Redis. The embedded store uses the clock of this machine.
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

/// Opens the store in Redis.
pub(super) async fn open_redis(
    settings: &Settings,
    metrics: &RedisMetrics,
) -> Result<RedisStore, StoreError> {
    RedisStore::open(&settings.redis, settings.limits.keys, metrics).await
}
