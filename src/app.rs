//! Joins all parts into one running service; the only file that sees everything.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::Server};
use thiserror::Error;
use tokio::{task::JoinHandle, time};
use tracing::warn;

use crate::{
    http::{self, Api},
    service::{Backends, Catalog, CatalogError, Numbering, Services, SessionEnder},
    settings::{Settings, SettingsError},
    shutdown::Readiness,
    store::{Audit, Group, Sessions, Store, StoreError, memory::MemoryStore, redis::RedisStore},
};

/// After which time an audit looks again at what it found: longer than the clean-up takes.
const AUDIT_AGAIN: Duration = Duration::from_secs(10);

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The catalogue is wrong.
    #[error("catalogue {0}")]
    Catalog(#[from] CatalogError),
    /// What `[backend]` says cannot be used.
    #[error("setting {0}")]
    Backends(String),
    /// The store cannot be used as it is set.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("setting `server.listen`: cannot listen on {address}: {error}")]
    Listen {
        /// The address set.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// There is no store whose books could be looked through from outside.
    #[error("setting `redis.url` is not set: the embedded store's books end with its process")]
    NoBooks,
    /// It ran, and ended by itself.
    #[error("the server ended: {0}")]
    Served(io::Error),
}

/// A running service. Dropped, it goes on; [`Running::until`] ends it.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    readiness: Readiness,
    server: Server,
    background: JoinHandle<()>,
}

/// Reads the catalogue that `settings` name.
///
/// # Errors
/// [`StartError::Settings`] where the file cannot be read, [`StartError::Catalog`] for what is in it.
pub fn catalog(settings: &Settings) -> Result<Catalog, StartError> {
    let (origin, text) = settings.catalog_text()?;
    let life = settings.limits.life.as_secs();
    let numbering = Numbering::of(settings.phone.default_region);
    let variables = |name: &str| settings.variable(name).map(str::to_owned);
    Ok(Catalog::read(&origin, &text, life, numbering, &variables)?)
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
/// [`StartError::NoBooks`] where no Redis is set; else what the store says.
pub async fn audit(settings: &Settings) -> Result<Audit, StartError> {
    let groups = catalog(settings)?.groups();
    if settings.redis.urls.is_empty() {
        return Err(StartError::NoBooks);
    }
    let store = open_redis(settings).await?;
    let audit = store.audit(&groups).await?;
    if audit.is_clean() {
        return Ok(audit);
    }
    // Some of it may be on its way back at this moment.
    time::sleep(AUDIT_AGAIN).await;
    Ok(audit.confirmed_by(store.audit(&groups).await?))
}

/// Starts the service: when this returns it listens, on workers of its own.
///
/// # Errors
/// A [`StartError`]; that the store is away is none, the service becomes ready when it comes.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    let catalog = Arc::new(catalog(&settings)?);
    let limits = Arc::new(settings.limits.clone());
    let listen_error = |error| StartError::Listen {
        address: settings.server.listen.clone(),
        error,
    };
    let listener = TcpListener::bind(&settings.server.listen).map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let backing = Backing::new(&settings);
    let backends = backends(&settings, &catalog)?;
    let ender = SessionEnder::new(Arc::clone(&catalog), Arc::clone(&backends));
    let background = backing.maintain(catalog.groups(), Arc::new(ender)).await?;
    let numbering = Numbering::of(settings.phone.default_region);
    let readiness = Readiness::default();
    let server = &settings.server;
    let (workers, head_timeout) = (server.workers, server.head_timeout);
    let shutdown = server.shutdown.as_secs();
    let ready = readiness.clone();
    let settings = Arc::new(settings.clone());
    let server = HttpServer::new(move || {
        let (catalog, limits) = (Arc::clone(&catalog), Arc::clone(&limits));
        let (backing, ready) = (backing.clone(), ready.clone());
        let (settings, backends) = (Arc::clone(&settings), Arc::clone(&backends));
        // Each worker opens its own way to the store, on its own runtime.
        let api = move || {
            let (catalog, limits) = (Arc::clone(&catalog), Arc::clone(&limits));
            let (backing, ready) = (backing.clone(), ready.clone());
            let (settings, backends) = (Arc::clone(&settings), Arc::clone(&backends));
            async move {
                let store = backing.open().await?;
                let services =
                    Services::new(catalog, store, Arc::clone(&limits), numbering, backends);
                Ok::<_, StoreError>(Api::new(services, limits, ready, &settings))
            }
        };
        App::new().data_factory(api).configure(http::routes)
    })
    .workers(workers)
    .client_request_timeout(head_timeout)
    .shutdown_timeout(shutdown)
    .disable_signals()
    .listen(listener)
    .map_err(|error| StartError::Listen {
        address: address.to_string(),
        error,
    })?
    .run();
    Ok(Running {
        address,
        readiness,
        server,
        background,
    })
}

impl Running {
    /// Serves until `asked` returns, then finishes what is in flight and returns.
    ///
    /// # Errors
    /// What the server says when it ends by itself.
    pub async fn until(self, asked: impl Future<Output = ()>) -> io::Result<()> {
        let handle = self.server.handle();
        let mut served = tokio::spawn(self.server);
        tokio::select! {
            ended = &mut served => return ended.map_err(io::Error::other)?,
            () = asked => {}
        }
        self.readiness.drain();
        handle.stop(true).await;
        self.background.abort();
        served.await.map_err(io::Error::other)?
    }
}

/// Where state lives, and how a worker gets to it.
#[derive(Clone)]
enum Backing {
    Memory(Arc<MemoryStore>),
    Redis(Arc<Settings>),
}

impl Backing {
    fn new(settings: &Settings) -> Self {
        if !settings.redis.urls.is_empty() {
            return Self::Redis(Arc::new(settings.clone()));
        }
        warn!("no redis.url is set: data lives in this process only and ends with it");
        let store = MemoryStore::new(settings.memory.limit_bytes, settings.limits.keys);
        Self::Memory(Arc::new(store))
    }

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Memory(store) => Ok(Arc::clone(store) as Arc<dyn Store>),
            Self::Redis(settings) => Ok(Arc::new(open_redis(settings).await?)),
        }
    }

    /// Starts what goes on whether requests come or not.
    async fn maintain(
        &self,
        groups: Vec<Arc<Group>>,
        sessions: Arc<dyn Sessions>,
    ) -> Result<JoinHandle<()>, StoreError> {
        match self {
            Self::Memory(store) => Ok(tokio::spawn(Arc::clone(store).clean_up(sessions))),
            Self::Redis(settings) => {
                let store = open_redis(settings).await?;
                Ok(tokio::spawn(store.clean_up(groups, sessions)))
            }
        }
    }
}

async fn open_redis(settings: &Settings) -> Result<RedisStore, StoreError> {
    RedisStore::open(&settings.redis, settings.limits.keys).await
}
