//! The listeners, each with its own workers: overload of the public one does not affect the private one.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, dev::Server, rt, web::Data};
use rustls::ServerConfig;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::sync::Semaphore;
use tracing::warn;

use super::{
    StartError, StoreBackend, free_memory::return_freed_memory, graceful_shutdown::ListenerHandle,
    http_server, socket,
};
use crate::{
    backend::Backends,
    http::{self, AppState, ListenerConfig, TelemetryConfig},
    memory_budget::MemoryBudgets,
    model::{StoreError, readiness::Readiness},
    service::{
        Admin, AdminContext, AgentContext, Agents, ChangeListeners, CometContext, FailedMatches,
        PhoneNumbers, ServiceContext, Services,
    },
    settings::{Limits, RouteGroups, Settings},
    store::{AdminStore, InstrumentedStore, Store},
    telemetry::metrics::{Exporter, Metrics},
};

/// A bound address that is not served yet.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    socket: TcpListener,
    groups: RouteGroups,
}

impl Listener {
    /// Binds `address`, the value of `setting`. A connection whose client does not read a response for
    /// `write_timeout` is closed.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub(super) fn bind(
        setting: &'static str,
        address: &str,
        groups: RouteGroups,
        write_timeout: Duration,
    ) -> Result<Self, StartError> {
        let bind = || -> io::Result<Self> {
            let socket = socket::listen(address)?;
            // Accepted connections inherit it. The web server has no timeout for clients that do not
            // read; the operating system closes the connection.
            #[cfg(target_os = "linux")]
            SockRef::from(&socket).set_tcp_user_timeout(Some(write_timeout))?;
            Ok(Self {
                address: socket.local_addr()?,
                socket,
                groups,
            })
        };
        bind().map_err(|error| StartError::Listen {
            setting,
            address: address.to_owned(),
            error,
        })
    }

    /// A handle to stop accepting connections before the server is stopped.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn handle(&self) -> io::Result<ListenerHandle> {
        ListenerHandle::new(&self.socket)
    }

    /// Serves the listener, over TLS if there is a configuration for it.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn serve(
        self,
        factory: &WorkerFactory,
        tls: Option<&ServerConfig>,
    ) -> io::Result<Server> {
        let settings = Arc::clone(&factory.settings);
        let config = ListenerConfig {
            groups: self.groups,
            requires_api_key: !settings.auth.api_keys.is_empty(),
            cors: settings.cors.clone(),
            telemetry: TelemetryConfig::new(&settings, factory.metrics.http.clone()),
            catalog: factory.admin_context.current_catalog.clone(),
            admin_enabled: settings.is_admin_enabled(),
            agents_enabled: settings.agents.are_configured(),
            tls: tls.is_some(),
        };
        let document = Data::new(http::describe_routes(&config, &settings));
        let metrics = Arc::new(factory.metrics.http.clone());
        let (factory, groups) = (factory.clone(), self.groups);
        let server = &settings.server;
        let app = move || {
            let factory = factory.clone();
            // Each worker opens its own store, on its own runtime.
            let state = move || factory.clone().app_state(groups);
            let app = App::new().app_data(document.clone()).data_factory(state);
            let config = config.clone();
            app.configure(|service| http::routes(service, &config))
                .wrap_fn(move |request, routes| http::serve_request(request, routes, &config))
        };
        let http2 = settings.tls.as_ref().is_some_and(|tls| tls.http2);
        if http2 {
            warn!(
                listener = %self.address,
                "tls.http2 is on: the memory of a connection over HTTP/2 is not bounded, and requests in flight can \
                 be lost when the process stops (docs/security.md)"
            );
        }
        let tls = tls.map(|tls| http_server::with_alpn(tls.clone(), http2));
        http_server::listen(self.socket, tls, server, metrics, app)
    }
}

/// Creates the state of the workers of a listener.
#[derive(Clone)]
pub(super) struct WorkerFactory {
    pub(super) admin_context: Arc<AdminContext>,
    pub(super) limits: Arc<Limits>,
    pub(super) phone_numbers: PhoneNumbers,
    pub(super) store_backend: StoreBackend,
    pub(super) backends: Arc<Backends>,
    pub(super) readiness: Readiness,
    pub(super) memory: MemoryBudgets,
    pub(super) change_listeners: ChangeListeners,
    pub(super) watchers: Arc<Semaphore>,
    pub(super) failed_matches: FailedMatches,
    pub(super) comet: CometContext,
    pub(super) metrics: Metrics,
    pub(super) exporter: Arc<Exporter>,
    pub(super) settings: Arc<Settings>,
    /// `None` if no agents are configured and the console is disabled.
    pub(super) agents: Option<Arc<AgentContext>>,
}

impl WorkerFactory {
    /// Creates the state of the worker of this thread.
    async fn app_state(self, groups: RouteGroups) -> Result<AppState, StoreError> {
        rt::spawn(return_freed_memory());
        let admin_store = self.store_backend.open().await?;
        let mut store: Arc<dyn Store> = Arc::<dyn AdminStore>::clone(&admin_store);
        if self.settings.metrics.enabled || self.settings.traces.is_some() {
            let (system, metrics) = (self.store_backend.name(), &self.metrics.store);
            store = Arc::new(InstrumentedStore::new(store, system, metrics));
        }
        let services = Services::new(ServiceContext {
            catalog: self.admin_context.current_catalog.clone(),
            route_groups: groups,
            store,
            limits: self.limits,
            phone_numbers: self.phone_numbers,
            rate_limit: self.settings.rate_limit.clone(),
            failed_credentials: Arc::clone(&self.admin_context.failed_credentials),
            failed_matches: self.failed_matches,
            backends: self.backends,
            memory: self.memory,
            change_listeners: self.change_listeners,
            watchers: self.watchers,
            comet: self.comet,
            custom_ids: self.settings.storage.custom_ids,
            strict_storage_ttl: self.settings.api.strict_storage_ttl,
            binaries: self.metrics.binaries,
        });
        let agents = self
            .agents
            .map(|context| Agents::new(context, services.clone(), Arc::clone(&admin_store)));
        let admin = Admin::new(
            self.admin_context,
            services.clone(),
            admin_store,
            agents.clone(),
        );
        Ok(AppState::new(
            services,
            admin,
            agents,
            self.readiness,
            &self.settings,
            self.metrics.http,
            self.exporter,
        ))
    }
}
