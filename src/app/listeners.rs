//! The addresses that are listened on, each with workers of its own: what floods the public one leaves
//! the private one its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, dev::Server, web::Data};
use rustls::ServerConfig;
#[cfg(target_os = "linux")]
use socket2::SockRef;

use super::{StartError, StoreBackend, graceful_shutdown::ListenerHandle, http_server, socket};
use crate::{
    http::{self, AppState, Document, ListenerConfig, TelemetryConfig},
    memory_budget::MemoryBudgets,
    model::readiness::Readiness,
    service::{Admin, AdminContext, Backends, PhoneNumbers, Services},
    settings::{Limits, RouteGroups, Settings},
    store::{AdminStore, InstrumentedStore, Store, StoreError},
};

/// An address that is bound and not yet served.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    socket: TcpListener,
    groups: RouteGroups,
}

impl Listener {
    /// Binds `address`, which `setting` names. A client that takes in nothing of an answer for `patience`
    /// is given up.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub(super) fn bind(
        setting: &'static str,
        address: &str,
        groups: RouteGroups,
        patience: Duration,
    ) -> Result<Self, StartError> {
        let bound = || -> io::Result<Self> {
            let socket = socket::listen(address)?;
            // Connections inherit it. The web server waits for whoever does not read what it asked
            // for; the system breaks the connection off.
            #[cfg(target_os = "linux")]
            SockRef::from(&socket).set_tcp_user_timeout(Some(patience))?;
            Ok(Self {
                address: socket.local_addr()?,
                socket,
                groups,
            })
        };
        bound().map_err(|error| StartError::Listen {
            setting,
            address: address.to_owned(),
            error,
        })
    }

    /// Its door, to be closed before what serves it is stopped.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn handle(&self) -> io::Result<ListenerHandle> {
        ListenerHandle::new(&self.socket)
    }

    /// Serves it, over TLS where there is a configuration for that.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn serve(
        self,
        parts: &WorkerFactory,
        tls: Option<&ServerConfig>,
    ) -> io::Result<Server> {
        let settings = Arc::clone(&parts.settings);
        let cors = !settings.cors.allowed_origins.is_empty();
        let keys = !settings.auth.api_keys.is_empty();
        let exposure = ListenerConfig {
            groups: self.groups,
            client_checks_enabled: cors || keys,
            telemetry: TelemetryConfig::new(&settings),
            catalog: parts.admin_context.current_catalog.clone(),
            admin_enabled: settings.admin.credentials.password.is_some(),
            tls: tls.is_some(),
        };
        let document = Data::new(Document::new(&exposure, &settings));
        let (parts, groups) = (parts.clone(), self.groups);
        let server = &settings.server;
        let app = move || {
            let parts = parts.clone();
            // Each worker opens its own way to the store, on its own runtime.
            let api = move || parts.clone().app_state(groups);
            let app = App::new().app_data(document.clone()).data_factory(api);
            let exposure = exposure.clone();
            app.configure(|config| http::routes(config, &exposure))
                .wrap_fn(move |request, routes| http::serve_request(request, routes, &exposure))
        };
        let http2 = settings.tls.as_ref().is_some_and(|tls| tls.http2);
        let tls = tls.map(|tls| http_server::with_alpn(tls.clone(), http2));
        http_server::listen(self.socket, tls, server, app)
    }
}

/// What the workers of a listener are made of.
#[derive(Clone)]
pub(super) struct WorkerFactory {
    pub(super) admin_context: Arc<AdminContext>,
    pub(super) limits: Arc<Limits>,
    pub(super) phone_numbers: PhoneNumbers,
    pub(super) store_backend: StoreBackend,
    pub(super) backends: Arc<Backends>,
    pub(super) readiness: Readiness,
    pub(super) memory: MemoryBudgets,
    pub(super) settings: Arc<Settings>,
}

impl WorkerFactory {
    async fn app_state(self, groups: RouteGroups) -> Result<AppState, StoreError> {
        let (store, limits) = (self.store_backend.open().await?, Arc::clone(&self.limits));
        let mut asked: Arc<dyn Store> = Arc::<dyn AdminStore>::clone(&store);
        if self.settings.metrics.enabled || self.settings.traces.is_some() {
            asked = Arc::new(InstrumentedStore::new(asked, self.store_backend.name()));
        }
        let catalog = self.admin_context.current_catalog.clone();
        let services = Services::new(catalog, asked, limits, self.phone_numbers, self.backends);
        let services = services.with_memory(self.memory.clone());
        let services = services.with_rate_limits(
            self.settings.rate_limit.clone(),
            Arc::clone(&self.admin_context.failed_credentials),
        );
        let services = services.with_route_groups(groups);
        let admin = Admin::new(self.admin_context, services.clone(), store);
        Ok(AppState::new(
            services,
            admin,
            self.limits,
            self.readiness,
            &self.settings,
        ))
    }
}
