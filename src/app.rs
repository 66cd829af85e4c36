//! Assembles all parts into a running service; the only module that uses all layers.

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::dev::Server;
use futures_util::future;
use tokio::time;
use tracing::{debug, info, warn};

pub use self::error::StartError;
use self::{
    background::{BackgroundTasks, StoreBackend, open_redis},
    graceful_shutdown::ListenerHandle,
    listeners::{Listener, WorkerFactory},
    tls::Certificates,
};
use crate::{
    backend::Backends,
    healthcheck::reachable_address,
    memory_budget::MemoryBudgets,
    model::{ConsistencyReport, StoreReport, StoredCatalog, Table, readiness::Readiness},
    service::{
        self, AdminContext, Catalog, CatalogContext, CatalogFile, CurrentCatalog,
        FailedCredentials, Options, PhoneNumbers, Replica, Secrets, StoreStatus, deregister,
    },
    settings::{RouteGroups, Settings, SettingsError},
    store::{CatalogStore, Clock, ConsistencyCheck, WallClock},
    telemetry::metrics::{BackendMetrics, Exporter, Metrics, RedisMetrics, Sources},
};

mod background;
mod connection;
mod error;
mod free_memory;
mod graceful_shutdown;
mod http_server;
mod listeners;
mod rejected_requests;
mod socket;
mod tls;

/// Delay before the second consistency check: longer than a cleanup takes.
const RECHECK_DELAY: Duration = Duration::from_secs(10);

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
    background: BackgroundTasks,
}

/// Checks the catalog and the certificate in `settings`. Returns warnings about the catalog.
///
/// # Errors
/// As [`catalog`]; [`StartError::Tls`] for an invalid certificate or key.
pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
    let (file, catalog) = read_catalog(settings, &catalog_context(settings))?;
    backends(settings, &catalog, BackendMetrics::default())?;
    if let Some(tls) = &settings.tls {
        Certificates::load(tls)?.config()?;
    }
    Ok(file.warnings())
}

/// Reads the catalog of `settings`.
///
/// # Errors
/// [`StartError::Settings`] if the file cannot be read, [`StartError::Catalog`] if its content is invalid.
pub fn catalog(settings: &Settings) -> Result<Catalog, StartError> {
    Ok(read_catalog(settings, &catalog_context(settings))?.1)
}

/// The catalog file, as parsed TOML and as a catalog.
fn read_catalog(
    settings: &Settings,
    context: &CatalogContext,
) -> Result<(CatalogFile, Catalog), StartError> {
    let (origin, text) = settings.catalog.text()?;
    let file = CatalogFile::parse(&origin, &text)?;
    check_default_user(settings, &file)?;
    let catalog = Catalog::from_file(&origin, &file, context)?;
    Ok((file, catalog))
}

/// If the default user name has no password, each service must have one of its own. The catalog checks
/// this too, but its error names the service instead of the setting.
fn check_default_user(settings: &Settings, file: &CatalogFile) -> Result<(), SettingsError> {
    if settings.auth.username.is_none() || settings.auth.password.is_some() {
        return Ok(());
    }
    let has = |options: &Options, name| {
        let text = options.get(name).and_then(|value| value.text());
        text.is_some_and(|text| !text.is_empty())
    };
    let mut services = file.table(Table::Services).iter();
    let unprotected =
        services.find(|(_, options)| !has(options, "username") && !has(options, "password"));
    unprotected.map_or(Ok(()), |(service, _)| {
        Err(SettingsError::UsernameWithoutPassword {
            service: service.clone(),
        })
    })
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
        failed_credentials: Arc::new(FailedCredentials::new(&settings.rate_limit)),
        store_status: StoreStatus::new(settings.redis.location(), readiness),
        settings: settings.admin.clone(),
    })
}

fn catalog_context(settings: &Settings) -> CatalogContext {
    let environment = settings.clone();
    CatalogContext {
        max_ttl_seconds: settings.limits.max_ttl.as_secs(),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        default_credentials: settings.auth.credentials(),
        variables: Arc::new(move |name| environment.variable(name).map(str::to_owned)),
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

/// Verifies the bookings in Redis: the service of each booked number, and numbers booked by no service.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] without a Redis URL; otherwise the error of the store.
pub async fn verify_bookings(settings: &Settings) -> Result<ConsistencyReport, StartError> {
    let catalog = catalog(settings)?;
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    let store = open_redis(settings, &RedisMetrics::default()).await?;
    let stored = store.read_catalog().await?;
    let catalog = catalog.with_stored(
        &stored,
        &BTreeSet::new(),
        &catalog_context(settings),
        store.now()?,
    );
    let groups = catalog.groups().all();
    let report = store.check_consistency(&groups).await?;
    if report.is_clean() {
        return Ok(report);
    }
    // A cleanup may be in progress for some of them.
    time::sleep(RECHECK_DELAY).await;
    Ok(report.confirmed_by(store.check_consistency(&groups).await?))
}

/// Checks the Redis servers.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] without a Redis URL; the error of the store if no server responds.
pub async fn verify_redis(settings: &Settings) -> Result<StoreReport, StartError> {
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    let store = open_redis(settings, &RedisMetrics::default()).await?;
    Ok(store.check_servers().await?)
}

/// The catalog as a file: the entries of the catalog file, and the stored entries if Redis is configured.
///
/// # Errors
/// As [`catalog`]; the error of the store.
pub async fn export(settings: &Settings, secrets: Secrets) -> Result<String, StartError> {
    let (file, _) = read_catalog(settings, &catalog_context(settings))?;
    let stored = if settings.redis.urls.is_empty() {
        StoredCatalog::default()
    } else {
        let store = open_redis(settings, &RedisMetrics::default()).await?;
        store.read_catalog().await?
    };
    Ok(service::export_catalog(&file, &stored, secrets)?)
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
    let server = &settings.server;
    let bind = |setting, address: &str, groups| {
        Listener::bind(setting, address, groups, server.body_idle_timeout)
    };
    let public = bind("server.listen", &server.listen, server.public)?;
    let private = server
        .private_listen
        .as_ref()
        .map(|address| bind("server.private_listen", address, RouteGroups::ALL));
    let private = private.transpose()?;
    let certificates = settings.tls.as_ref().map(Certificates::load).transpose()?;
    let tls = certificates
        .as_ref()
        .map(Certificates::config)
        .transpose()?;
    let metrics = Metrics::default();
    let store_backend = StoreBackend::new(&settings, &metrics.redis);
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
    let reload = certificates.map(|files| tokio::spawn(files.reload_on_change()));
    background.tasks.extend(reload);
    let private_address = private.as_ref().map(|listener| listener.address);
    let replica = Replica::current(
        public.address.to_string(),
        private_address.map(|address| address.to_string()),
    );
    let replica_id = replica.id.clone();
    let skew = background.monitor_clock(&settings, wall, readiness.clone());
    let responses = metrics.http.totals.clone();
    let context = Arc::clone(&admin_context);
    background.send_heartbeats(replica, context, skew.clone(), responses);
    let memory = MemoryBudgets::new(&settings.limits);
    let catalog = admin_context.current_catalog.clone();
    let sources = Sources {
        readiness: readiness.clone(),
        memory: memory.clone(),
        cleanup: background.cleanup.clone(),
        clock_skew: Box::new(move || skew.seconds()),
        catalog_entries_lost: Box::new(move || catalog.lost_entries()),
    };
    let factory = WorkerFactory {
        admin_context,
        limits: Arc::new(settings.limits.clone()),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        store_backend,
        backends,
        readiness,
        memory,
        exporter: Arc::new(Exporter::new(&metrics, sources)),
        metrics,
        settings: Arc::new(settings),
    };
    let mut running = RunningServer {
        address: public.address,
        private_address,
        admin_enabled: factory.settings.admin.password.is_some(),
        admin_is_public: factory.settings.server.public.admin && !public.address.ip().is_loopback(),
        public: factory.settings.server.public,
        api_keys_required: !factory.settings.auth.api_keys.is_empty(),
        catalog: factory.admin_context.current_catalog.clone(),
        replica_id,
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
            (false, _) => info!("admin API disabled; set admin.password to enable it"),
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
        future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
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
