//! Assembles all parts into a running service; the only module that uses all layers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::dev::Server;
use futures_util::future;
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use self::{
    background::{BackgroundTasks, StoreBackend},
    catalog_file::{catalog_context, read_catalog},
    graceful_shutdown::ListenerHandle,
    listeners::{Listener, WorkerFactory},
    tls::Certificates,
};
pub use self::{
    catalog_file::catalog,
    commands::{check, export, verify_bookings, verify_redis},
    error::StartError,
};
use crate::{
    backend::Backends,
    healthcheck::reachable_address,
    memory_budget::MemoryBudgets,
    model::readiness::Readiness,
    service::{
        AdminContext, AgentContext, Catalog, CometContext, CurrentCatalog, ExhaustedTimes,
        FailedCredentials, Operators, OwnReplica, PhoneNumbers, ProblemSources, Replica,
        SingleSignOn, StatsSampler, StoreStatus, WebhookStatistics, deregister,
    },
    settings::{self, RouteGroups, Settings},
    store::WallClock,
    telemetry::metrics::{BackendMetrics, Exporter, Metrics, Sources},
};

mod background;
mod catalog_file;
mod commands;
mod connection;
mod error;
mod free_memory;
mod graceful_shutdown;
mod http_server;
mod listeners;
mod rejected_requests;
mod socket;
mod tls;

/// A running service. Dropping it does not stop it; [`RunningServer::run_until`] does.
pub struct RunningServer {
    /// The public address.
    pub address: SocketAddr,
    /// The private address, which serves all route groups, if it is configured.
    pub private_address: Option<SocketAddr>,
    /// The readiness of the replica.
    pub readiness: Readiness,
    scheme: &'static str,
    servers: Vec<Server>,
    listener_handles: Vec<ListenerHandle>,
    admin_enabled: bool,
    admin_is_public: bool,
    /// The route groups at `address`.
    public: RouteGroups,
    api_keys_required: bool,
    catalog: CurrentCatalog,
    replica_id: String,
    /// `server.shutdown_timeout_seconds`
    shutdown_timeout: Duration,
    background: BackgroundTasks,
}

/// The state of the admin API and the console that all workers share.
fn admin_context(settings: &Settings, readiness: Readiness) -> Result<AdminContext, StartError> {
    let catalog_context = catalog_context(settings);
    let (catalog_file, file_catalog) = read_catalog(settings, &catalog_context)?;
    let file_catalog = Arc::new(file_catalog);
    Ok(AdminContext {
        catalog_file,
        current_catalog: CurrentCatalog::new(Arc::clone(&file_catalog)),
        file_catalog,
        catalog_context,
        group_usage: Arc::default(),
        exhausted_times: ExhaustedTimes::default(),
        failed_credentials: Arc::new(FailedCredentials::new(&settings.rate_limit)),
        store_status: StoreStatus::new(settings.redis.location(), readiness.clone()),
        own_replica: OwnReplica::new(readiness),
        settings: settings.admin.clone(),
        operators: Operators::new(&settings.operators)
            .map_err(|_unspecified| StartError::Random)?,
        single_sign_on: single_sign_on(&settings.single_sign_on)?,
    })
}

/// Single sign-on; `None` if it is disabled. The identity provider is not contacted.
fn single_sign_on(settings: &settings::SingleSignOn) -> Result<Option<SingleSignOn>, StartError> {
    let enabled = settings.is_enabled().then(|| SingleSignOn::new(settings));
    enabled.transpose().map_err(StartError::SingleSignOn)
}

/// What the replica reports problems of.
fn problem_sources(
    readiness: &Readiness,
    catalog: &CurrentCatalog,
    metrics: &Metrics,
    backends: &Arc<Backends>,
    webhooks: &WebhookStatistics,
) -> ProblemSources {
    ProblemSources {
        readiness: readiness.clone(),
        redis: metrics.redis.clone(),
        backends: Arc::clone(backends),
        webhooks: webhooks.clone(),
        catalog: catalog.clone(),
    }
}

/// The clients of the backends in the catalog. Requests are counted in `metrics`.
///
/// # Errors
/// [`StartError::Backends`] if the configured certificates cannot be used.
pub fn backends(
    settings: &Settings,
    catalog: &Catalog,
    metrics: BackendMetrics,
) -> Result<Arc<Backends>, StartError> {
    let backends = Backends::new(&settings.backend, catalog.needs_tls(), metrics);
    backends.map(Arc::new).map_err(StartError::Backends)
}

/// Starts the service. When this returns, it listens, with its own worker threads.
///
/// # Errors
/// A [`StartError`]. An unavailable store is not an error: the service becomes ready when the store does.
pub async fn start(settings: Settings) -> Result<RunningServer, StartError> {
    start_with_clock(settings, WallClock::default()).await
}

/// As [`start`], with this clock of the machine; tests use a wrong one.
///
/// # Errors
/// As [`start`].
pub async fn start_with_clock(
    settings: Settings,
    wall: WallClock,
) -> Result<RunningServer, StartError> {
    raise_open_file_limit();
    let readiness = Readiness::default();
    let admin_context = Arc::new(admin_context(&settings, readiness.clone())?);
    admin_context
        .file_catalog
        .log_new_warnings(&Catalog::default());
    let (public, private) = bind_listeners(&settings.server)?;
    let certificates = settings.tls.as_ref().map(Certificates::load).transpose()?;
    let tls = certificates
        .as_ref()
        .map(Certificates::config)
        .transpose()?;
    let metrics = Metrics::default();
    let store_backend = StoreBackend::new(&settings, &metrics);
    let client_metrics = metrics.backends.clone();
    let backends = backends(&settings, &admin_context.file_catalog, client_metrics)?;
    let mut background = BackgroundTasks::start(
        &store_backend,
        &settings,
        &admin_context,
        &backends,
        &readiness,
    )
    .await?;
    background.monitor_readiness(readiness.clone(), admin_context.current_catalog.clone());
    let agents = AgentContext::new(&settings, &admin_context.failed_credentials, &metrics.chats)
        .map_err(|_unspecified| StartError::Random)?;
    let change_listeners = background.follow_chats(agents.as_deref(), &readiness);
    let reload = certificates.map(|files| tokio::spawn(files.reload_on_change()));
    background.tasks.extend(reload);
    let private_address = private.as_ref().map(|listener| listener.address);
    let replica = Replica::current(
        &admin_context.own_replica,
        public.address.to_string(),
        private_address.map(|address| address.to_string()),
    );
    let replica_id = replica.id.clone();
    let skew = background.monitor_clock(&settings, wall, readiness.clone());
    let webhooks = background.deliver_webhooks(&settings, &admin_context, &metrics.webhooks)?;
    let failed_matches = background.record_failed_matches(&metrics.matches);
    let catalog = admin_context.current_catalog.clone();
    let problems = problem_sources(&readiness, &catalog, &metrics, &backends, &webhooks);
    let (responses, cleanup) = (metrics.http.totals.clone(), background.cleanup.clone());
    let sampler = StatsSampler::new(responses, cleanup, skew.clone(), problems);
    background.send_heartbeats(replica, Arc::clone(&admin_context), sampler);
    background.sample_statistics(&settings, &metrics);
    let memory = MemoryBudgets::new(&settings.limits);
    let sources = Sources {
        readiness: readiness.clone(),
        memory: memory.clone(),
        cleanup: background.cleanup.clone(),
        clock_skew: Box::new(move || skew.seconds()),
        catalog_entries_lost: Box::new(move || catalog.lost_entries()),
        webhooks: Box::new(move || webhooks.last()),
    };
    let factory = WorkerFactory {
        admin_context,
        limits: Arc::new(settings.limits.clone()),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        store_backend,
        backends,
        comet: CometContext::new(&settings.comet, &readiness, &metrics.comet),
        readiness,
        memory,
        change_listeners,
        failed_matches,
        watchers: Arc::new(Semaphore::new(settings.limits.watchers)),
        exporter: Arc::new(Exporter::new(&metrics, sources)),
        metrics,
        settings: Arc::new(settings),
        agents,
    };
    let mut running = RunningServer {
        address: public.address,
        private_address,
        admin_enabled: factory.settings.is_admin_enabled(),
        admin_is_public: factory.settings.server.public.admin && !public.address.ip().is_loopback(),
        public: factory.settings.server.public,
        api_keys_required: !factory.settings.auth.api_keys.is_empty(),
        catalog: factory.admin_context.current_catalog.clone(),
        replica_id,
        shutdown_timeout: factory.settings.server.shutdown,
        readiness: factory.readiness.clone(),
        scheme: if tls.is_some() { "https" } else { "http" },
        servers: Vec::new(),
        listener_handles: Vec::new(),
        background,
    };
    for listener in [Some(public), private].into_iter().flatten() {
        running
            .listener_handles
            .push(listener.handle().map_err(StartError::ServerFailed)?);
        let server = listener.serve(&factory, tls.as_ref());
        running
            .servers
            .push(server.map_err(StartError::ServerFailed)?);
    }
    Ok(running)
}

/// Binds the public listener, and the private one if it is configured.
fn bind_listeners(server: &settings::Server) -> Result<(Listener, Option<Listener>), StartError> {
    let bind = |setting, address: &str, groups| {
        Listener::bind(setting, address, groups, server.body_idle_timeout)
    };
    let public = bind("server.listen", &server.listen, server.public)?;
    let private = server.private_listen.as_ref();
    let private = private.map(|address| bind("server.private_listen", address, RouteGroups::ALL));
    Ok((public, private.transpose()?))
}

/// Raises the limit of open files, and with it of connections, to the maximum that the administrator allows:
/// the default is often 1024, which many idle clients would use up.
fn raise_open_file_limit() {
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(files) => debug!(files, "open file limit raised"),
        Err(error) => warn!(%error, "open file limit cannot be raised"),
    }
}

impl RunningServer {
    /// Logs the addresses and whether the admin API is enabled.
    pub fn log_startup(&self) {
        if let Some(address) = self.private_address {
            info!(private = %address, "listening on the private address");
        }
        match (self.admin_enabled, self.admin_is_public) {
            (false, _) => info!(
                "admin API disabled; set admin.password, operators.users or single_sign_on.issuer"
            ),
            (true, false) => info!("admin API enabled"),
            (true, true) => warn!(
                "the admin API is reachable on the public address; set server.private_listen and remove admin \
                 from server.public to prevent this"
            ),
        }
        let address = self.address;
        if let Some(example) = self.example_command() {
            info!(%address, "listening; to try it: {example}");
        } else {
            info!(%address, "listening");
        }
    }

    /// A command that works unchanged, if there is one.
    fn example_command(&self) -> Option<String> {
        let listeners = [
            (Some(self.address), self.public),
            (self.private_address, RouteGroups::ALL),
        ];
        listeners.into_iter().find_map(|(address, groups)| {
            let origin = format!("{}://{}", self.scheme, reachable_address(address?));
            let catalog = self.catalog.load();
            catalog.example_command(&origin, groups, self.api_keys_required)
        })
    }

    /// Serves until `shutdown` completes, then stops accepting connections, finishes requests in flight and returns.
    ///
    /// # Errors
    /// The error of a server that ends by itself.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let handles: Vec<_> = self.servers.iter().map(Server::handle).collect();
        let mut servers = future::select_all(self.servers.into_iter().map(tokio::spawn));
        tokio::select! {
            // A server ended by itself; the other one ends with the process.
            (result, _, _) = &mut servers => return result.map_err(io::Error::other)?,
            () = shutdown => {}
        }
        self.readiness.drain();
        graceful_shutdown::stop_accepting_all(self.listener_handles).await;
        let stop_servers = future::join_all(handles.iter().map(|handle| handle.stop(true)));
        let deliverer = self.background.webhooks;
        let stop_deliveries = async {
            if let Some(deliverer) = deliverer {
                deliverer.shut_down(self.shutdown_timeout).await;
            }
        };
        future::join(stop_servers, stop_deliveries).await;
        for task in self.background.tasks {
            task.abort();
        }
        deregister(&self.replica_id, &*self.background.store).await;
        for server in servers.into_inner() {
            server.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}
