//! Joins all parts into one running service; the only file that sees everything.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::dev::Server;
use futures_util::future;
use tokio::{task::JoinHandle, time};
use tracing::{info, warn};

pub use self::error::StartError;
use self::{
    door::Door,
    listeners::{Listener, Parts},
    tls::Certificates,
};
use crate::{
    service::{Backends, Catalog, Numbering, SessionEnder},
    settings::{Groups, Settings},
    shutdown::Readiness,
    store::{Audit, Group, Sessions, Store, StoreError, memory::MemoryStore, redis::RedisStore},
};

mod door;
mod error;
mod listeners;
mod tls;

/// After which time an audit looks again at what it found: longer than the clean-up takes.
const AUDIT_AGAIN: Duration = Duration::from_secs(10);

/// A running service. Dropped, it goes on; [`Running::until`] ends it.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it serves everything, if that is asked for.
    pub private_address: Option<SocketAddr>,
    /// Whether it still wants requests.
    pub readiness: Readiness,
    scheme: &'static str,
    servers: Vec<Server>,
    doors: Vec<Door>,
    background: Vec<JoinHandle<()>>,
}

/// Looks whether what `settings` name can be used: the catalogue and the certificate.
///
/// # Errors
/// As [`catalog`]; [`StartError::Tls`] for a certificate or key that is none.
pub fn check(settings: &Settings) -> Result<(), StartError> {
    backends(settings, &catalog(settings)?)?;
    if let Some(tls) = &settings.tls {
        Certificates::load(tls)?.config()?;
    }
    Ok(())
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
    let catalog = Catalog::read(&origin, &text, life, numbering, &variables)?;
    Ok(catalog.locked(&origin, &settings.auth.credentials)?)
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
    let server = &settings.server;
    let bind = |setting, address: &str, groups| {
        Listener::bind(setting, address, groups, server.body_stall)
    };
    let public = bind("server.listen", &server.listen, server.public)?;
    let private = server
        .private_listen
        .as_ref()
        .map(|address| bind("server.private_listen", address, Groups::ALL));
    let private = private.transpose()?;
    let certificates = settings.tls.as_ref().map(Certificates::load).transpose()?;
    let tls = certificates
        .as_ref()
        .map(Certificates::config)
        .transpose()?;
    let backing = Backing::new(&settings);
    let backends = backends(&settings, &catalog)?;
    let ender = SessionEnder::new(Arc::clone(&catalog), Arc::clone(&backends));
    let ender = backing.maintain(catalog.groups(), Arc::new(ender)).await?;
    let mut background = vec![ender];
    background.extend(certificates.map(|files| tokio::spawn(files.keep_current())));
    let parts = Parts {
        catalog,
        limits: Arc::new(settings.limits.clone()),
        numbering: Numbering::of(settings.phone.default_region),
        backing,
        backends,
        readiness: Readiness::default(),
        settings: Arc::new(settings),
    };
    let mut running = Running {
        address: public.address,
        private_address: private.as_ref().map(|listener| listener.address),
        readiness: parts.readiness.clone(),
        scheme: if tls.is_some() { "https" } else { "http" },
        servers: Vec::new(),
        doors: Vec::new(),
        background,
    };
    for listener in [Some(public), private].into_iter().flatten() {
        running
            .doors
            .push(listener.door().map_err(StartError::Served)?);
        let serving = listener.serve(&parts, tls.as_ref());
        running.servers.push(serving.map_err(StartError::Served)?);
    }
    Ok(running)
}

impl Running {
    /// Tells the log where it listens.
    pub fn tell(&self) {
        if let Some(address) = self.private_address {
            info!(private = %address, "listening for those who may ask everything");
        }
        let (address, scheme) = (self.address, self.scheme);
        info!(%address, "listening; to try it: curl -X POST {scheme}://{address}/genesys/1/service/store -d key=value");
    }

    /// Serves until `asked` returns, then takes no more connections, finishes what is in flight and returns.
    ///
    /// # Errors
    /// What the server says when it ends by itself.
    pub async fn until(self, asked: impl Future<Output = ()>) -> io::Result<()> {
        let handles: Vec<_> = self.servers.iter().map(Server::handle).collect();
        let mut served = future::select_all(self.servers.into_iter().map(tokio::spawn));
        tokio::select! {
            // By itself: the other one is left to end with the process.
            (ended, _, _) = &mut served => return ended.map_err(io::Error::other)?,
            () = asked => {}
        }
        self.readiness.drain();
        door::close(self.doors).await;
        future::join_all(handles.iter().map(|handle| handle.stop(true))).await;
        for task in self.background {
            task.abort();
        }
        for ended in served.into_inner() {
            ended.await.map_err(io::Error::other)??;
        }
        Ok(())
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

    /// What it is called in traces.
    fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        }
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
            Self::Memory(store) => Ok(tokio::spawn(Arc::clone(store).clean_up(groups, sessions))),
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
