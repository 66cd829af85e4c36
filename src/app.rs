//! Joins all parts into one running service; the only file that sees everything.

use std::{collections::BTreeSet, io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::dev::Server;
use futures_util::future;
use tokio::time;
use tracing::{debug, info, warn};

pub use self::error::StartError;
use self::{
    background::{BackgroundTasks, StoreBackend},
    graceful_shutdown::ListenerHandle,
    listeners::{Listener, WorkerFactory},
    tls::Certificates,
};
use crate::{
    healthcheck::reachable_address,
    memory_budget::MemoryBudgets,
    model::readiness::Readiness,
    service::{
        self, AdminContext, Backends, Catalog, CatalogContext, CatalogFile, CurrentCatalog,
        FailedCredentials, Options, PhoneNumbers, Replica, Secrets, StoreStatus, deregister,
    },
    settings::{Credentials, RouteGroups, Settings, SettingsError},
    store::{
        CatalogStore, Clock, ConsistencyReport, Store, StoreError, StoreReport, StoredCatalog,
        Table, WallClock, redis::RedisStore,
    },
};

mod background;
mod connection;
mod error;
mod free_memory;
mod graceful_shutdown;
mod http_server;
mod listeners;
mod refused_requests;
mod socket;
mod tls;

/// After which time an audit looks again at what it found: longer than the clean-up takes.
const RECHECK_DELAY: Duration = Duration::from_secs(10);

/// A running service. Dropped, it goes on; [`Running::until`] ends it.
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it serves everything, if that is asked for.
    pub private_address: Option<SocketAddr>,
    /// Whether it still wants requests.
    pub readiness: Readiness,
    scheme: &'static str,
    servers: Vec<Server>,
    listener_handles: Vec<ListenerHandle>,
    admin_enabled: bool,
    admin_is_public: bool,
    /// What is served at `address`.
    public: RouteGroups,
    api_keys_required: bool,
    catalog: CurrentCatalog,
    replica_id: String,
    background: BackgroundTasks,
}

/// Looks whether what `settings` name can be used: the catalogue and the certificate. Gives warnings about the catalog.
///
/// # Errors
/// As [`catalog`]; [`StartError::Tls`] for a certificate or key that is none.
pub fn check(settings: &Settings) -> Result<Vec<String>, StartError> {
    let (draft, catalog) = read_catalog(settings, &catalog_context(settings))?;
    backends(settings, &catalog)?;
    if let Some(tls) = &settings.tls {
        Certificates::load(tls)?.config()?;
    }
    Ok(draft.warnings())
}

/// Reads the catalogue that `settings` name.
///
/// # Errors
/// [`StartError::Settings`] where the file cannot be read, [`StartError::Catalog`] for what is in it.
pub fn catalog(settings: &Settings) -> Result<Catalog, StartError> {
    Ok(read_catalog(settings, &catalog_context(settings))?.1)
}

/// The catalogue that `settings` name, as it is written and as it is understood.
fn read_catalog(
    settings: &Settings,
    rules: &CatalogContext,
) -> Result<(CatalogFile, Catalog), StartError> {
    let (origin, text) = settings.catalog_text()?;
    let draft = CatalogFile::parse(&origin, &text)?;
    check_default_user(settings, &draft)?;
    let catalog = Catalog::from_file(&origin, &draft, rules)?;
    Ok((draft, catalog))
}

/// Where the default user name has no password, each service must have one of its own. The catalogue
/// refuses it too, and names the service in place of the setting.
fn check_default_user(settings: &Settings, draft: &CatalogFile) -> Result<(), SettingsError> {
    let Credentials { username, password } = &settings.auth.credentials;
    if username.is_none() || password.is_some() {
        return Ok(());
    }
    let has = |options: &Options, name| {
        let text = options.get(name).and_then(|value| value.text());
        text.is_some_and(|text| !text.is_empty())
    };
    let mut services = draft.table(Table::Services).iter();
    let open = services.find(|(_, options)| !has(options, "username") && !has(options, "password"));
    open.map_or(Ok(()), |(service, _)| {
        Err(SettingsError::UsernameWithoutPassword {
            service: service.clone(),
        })
    })
}

/// What all workers are to know of the administration.
fn admin_context(settings: &Settings) -> Result<AdminContext, StartError> {
    let rules = catalog_context(settings);
    let (draft, file) = read_catalog(settings, &rules)?;
    let file = Arc::new(file);
    Ok(AdminContext {
        catalog_file: draft,
        current_catalog: CurrentCatalog::new(Arc::clone(&file)),
        file_catalog: file,
        catalog_context: rules,
        group_usage: Arc::default(),
        failed_credentials: Arc::new(FailedCredentials::new(&settings.rate_limit)),
        store_status: StoreStatus::new(settings.redis.location()),
        settings: settings.admin.clone(),
    })
}

fn catalog_context(settings: &Settings) -> CatalogContext {
    let environment = settings.clone();
    CatalogContext {
        max_ttl_seconds: settings.limits.max_ttl.as_secs(),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        default_credentials: settings.auth.credentials.clone(),
        variables: Arc::new(move |name| environment.variable(name).map(str::to_owned)),
    }
}

/// The way to the backends of the catalogue.
///
/// # Errors
/// [`StartError::Backends`] where the certificates that are set cannot be used.
pub fn backends(settings: &Settings, catalog: &Catalog) -> Result<Arc<Backends>, StartError> {
    let backends = Backends::new(&settings.backend, catalog.needs_tls());
    backends.map(Arc::new).map_err(StartError::Backends)
}

/// Looks through the books in Redis: what is held by whom, and what by nobody.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] where no Redis is set; else what the store says.
pub async fn verify_bookings(settings: &Settings) -> Result<ConsistencyReport, StartError> {
    let catalog = catalog(settings)?;
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    let store = open_redis(settings).await?;
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
    // Some of it may be on its way back at this moment.
    time::sleep(RECHECK_DELAY).await;
    Ok(report.confirmed_by(store.check_consistency(&groups).await?))
}

/// Checks the Redis servers.
///
/// # Errors
/// [`StartError::RedisNotConfigured`] where no Redis is set; what the store says where none of them answers.
pub async fn verify_redis(settings: &Settings) -> Result<StoreReport, StartError> {
    if settings.redis.urls.is_empty() {
        return Err(StartError::RedisNotConfigured);
    }
    Ok(open_redis(settings).await?.check_servers().await?)
}

/// The catalog as a file: what the configured file defines, and what was made in Redis where one is set.
///
/// # Errors
/// As [`catalog`]; what the store says.
pub async fn export(settings: &Settings, secrets: Secrets) -> Result<String, StartError> {
    let (file, _) = read_catalog(settings, &catalog_context(settings))?;
    let stored = if settings.redis.urls.is_empty() {
        StoredCatalog::default()
    } else {
        open_redis(settings).await?.read_catalog().await?
    };
    Ok(service::export_catalog(&file, &stored, secrets)?)
}

/// Starts the service: when this returns it listens, on workers of its own.
///
/// # Errors
/// A [`StartError`]; that the store is away is none, the service becomes ready when it comes.
pub async fn start(settings: Settings) -> Result<RunningServer, StartError> {
    start_with_clock(settings, WallClock::default()).await
}

/// The same on a machine that has this clock; tests set it wrong.
///
/// # Errors
/// As [`start`].
pub async fn start_with_clock(
    settings: Settings,
    wall: WallClock,
) -> Result<RunningServer, StartError> {
    raise_open_file_limit();
    let office = Arc::new(admin_context(&settings)?);
    office.file_catalog.log_new_warnings(&Catalog::default());
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
    let backing = StoreBackend::new(&settings);
    let backends = backends(&settings, &office.file_catalog)?;
    let readiness = Readiness::default();
    let mut background =
        BackgroundTasks::start(&backing, &settings, &office, &backends, &readiness).await?;
    background.monitor_readiness(readiness.clone(), office.current_catalog.clone());
    let keeping_files = certificates.map(|files| tokio::spawn(files.reload_on_change()));
    background.tasks.extend(keeping_files);
    let private_address = private.as_ref().map(|listener| listener.address);
    let replica = Replica::current(
        public.address.to_string(),
        private_address.map(|address| address.to_string()),
    );
    let name = replica.id.clone();
    let skew = background.monitor_clock(&settings, wall, readiness.clone());
    background.send_heartbeats(replica, Arc::clone(&office), skew);
    let parts = WorkerFactory {
        admin_context: office,
        limits: Arc::new(settings.limits.clone()),
        phone_numbers: PhoneNumbers::new(settings.phone.default_region),
        store_backend: backing,
        backends,
        readiness,
        memory: MemoryBudgets::new(&settings.limits),
        settings: Arc::new(settings),
    };
    let mut running = RunningServer {
        address: public.address,
        private_address,
        admin_enabled: parts.settings.admin.credentials.password.is_some(),
        admin_is_public: parts.settings.server.public.admin && !public.address.ip().is_loopback(),
        public: parts.settings.server.public,
        api_keys_required: !parts.settings.auth.api_keys.is_empty(),
        catalog: parts.admin_context.current_catalog.clone(),
        replica_id: name,
        readiness: parts.readiness.clone(),
        scheme: if tls.is_some() { "https" } else { "http" },
        servers: Vec::new(),
        listener_handles: Vec::new(),
        background: background,
    };
    for listener in [Some(public), private].into_iter().flatten() {
        running
            .listener_handles
            .push(listener.handle().map_err(StartError::ServerFailed)?);
        let serving = listener.serve(&parts, tls.as_ref());
        running
            .servers
            .push(serving.map_err(StartError::ServerFailed)?);
    }
    Ok(running)
}

/// Has the system allow this process as many open files, so connections, as its administrator lets it
/// have: what it is given to begin with is often 1,024, which a crowd of idle clients would use up.
fn raise_open_file_limit() {
    #[cfg(unix)]
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(files) => debug!(files, "connections and files that may be open"),
        Err(error) => warn!(%error, "as few connections as the system gives to begin with"),
    }
}

impl RunningServer {
    /// Tells the log where it listens.
    pub fn log_startup(&self) {
        if let Some(address) = self.private_address {
            info!(private = %address, "listening for those who may ask everything");
        }
        match (self.admin_enabled, self.admin_is_public) {
            (false, _) => info!("there is no administration; admin.password turns it on"),
            (true, false) => info!("there is an administration"),
            (true, true) => warn!(
                "the administration can be reached where clients are served; with server.private_listen, \
                 and without admin in server.public, it cannot"
            ),
        }
        let address = self.address;
        if let Some(example) = self.example_command() {
            info!(%address, "listening; to try it: {example}");
        } else {
            info!(%address, "listening");
        }
    }

    /// A command that works as it stands, where there is one.
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

    /// Serves until `asked` returns, then takes no more connections, finishes what is in flight and returns.
    ///
    /// # Errors
    /// What the server says when it ends by itself.
    pub async fn run_until(self, asked: impl Future<Output = ()>) -> io::Result<()> {
        let handles: Vec<_> = self.servers.iter().map(Server::handle).collect();
        let mut served = future::select_all(self.servers.into_iter().map(tokio::spawn));
        tokio::select! {
            // By itself: the other one is left to end with the process.
            (ended, _, _) = &mut served => return ended.map_err(io::Error::other)?,
            () = asked => {}
        }
        self.readiness.drain();
        graceful_shutdown::stop_accepting_all(self.listener_handles).await;
        future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
        for task in self.background.tasks {
            task.abort();
        }
        deregister(&self.replica_id, &*self.background.store).await;
        for ended in served.into_inner() {
            ended.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

async fn open_redis(settings: &Settings) -> Result<RedisStore, StoreError> {
    RedisStore::open(&settings.redis, settings.limits.keys).await
}
