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

use super::{Backing, StartError, door::Door, http_server, socket};
use crate::{
    http::{self, Api, Document, Exposure, Watching},
    memory_budget::Memory,
    model::readiness::Readiness,
    service::{Admin, Backends, Numbering, Office, Services},
    settings::{Groups, Limits, Settings},
    store::{Observed, Store, StoreError, WholeStore},
};

/// An address that is bound and not yet served.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    socket: TcpListener,
    groups: Groups,
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
        groups: Groups,
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
    pub(super) fn door(&self) -> io::Result<Door> {
        Door::of(&self.socket)
    }

    /// Serves it, over TLS where there is a configuration for that.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn serve(self, parts: &Parts, tls: Option<&ServerConfig>) -> io::Result<Server> {
        let settings = Arc::clone(&parts.settings);
        let cors = !settings.cors.allowed_origins.is_empty();
        let keys = !settings.auth.api_keys.is_empty();
        let exposure = Exposure {
            groups: self.groups,
            gated: cors || keys,
            watching: Watching::of(&settings),
            catalog: parts.office.in_force.clone(),
            administered: settings.admin.credentials.password.is_some(),
            tls: tls.is_some(),
        };
        let document = Data::new(Document::of(&exposure, &settings));
        let (parts, groups) = (parts.clone(), self.groups);
        let server = &settings.server;
        let app = move || {
            let parts = parts.clone();
            // Each worker opens its own way to the store, on its own runtime.
            let api = move || parts.clone().api(groups);
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
pub(super) struct Parts {
    pub(super) office: Arc<Office>,
    pub(super) limits: Arc<Limits>,
    pub(super) numbering: Numbering,
    pub(super) backing: Backing,
    pub(super) backends: Arc<Backends>,
    pub(super) readiness: Readiness,
    pub(super) memory: Memory,
    pub(super) settings: Arc<Settings>,
}

impl Parts {
    async fn api(self, groups: Groups) -> Result<Api, StoreError> {
        let (store, limits) = (self.backing.open().await?, Arc::clone(&self.limits));
        let mut asked: Arc<dyn Store> = Arc::<dyn WholeStore>::clone(&store);
        if self.settings.metrics.enabled || self.settings.traces.is_some() {
            asked = Arc::new(Observed::new(asked, self.backing.name()));
        }
        let catalog = self.office.in_force.clone();
        let services = Services::new(catalog, asked, limits, self.numbering, self.backends);
        let services = services.with_memory(self.memory.clone());
        let services = services.throttled(
            self.settings.throttle.clone(),
            Arc::clone(&self.office.failed_credentials),
        );
        let services = services.seen_by(groups);
        let admin = Admin::new(self.office, services.clone(), store);
        Ok(Api::new(
            services,
            admin,
            self.limits,
            self.readiness,
            &self.settings,
        ))
    }
}
