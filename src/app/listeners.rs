//! The addresses that are listened on, each with workers of its own: what floods the public one leaves
//! the private one its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::Server, web::Data};
use rustls::ServerConfig;
#[cfg(target_os = "linux")]
use socket2::SockRef;

use super::{Backing, StartError};
use crate::{
    http::{self, Api, Document, Exposure},
    service::{Backends, Catalog, Numbering, Services},
    settings::{Groups, Limits, Settings},
    shutdown::Readiness,
    store::StoreError,
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
            let socket = TcpListener::bind(address)?;
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
            gated: cors || keys || parts.catalog.has_locks(),
        };
        let document = Data::new(Document::of(self.groups, &settings));
        let parts = parts.seen_by(self.groups);
        let server = &settings.server;
        let http = HttpServer::new(move || {
            let parts = parts.clone();
            // Each worker opens its own way to the store, on its own runtime.
            let api = move || parts.clone().api();
            let app = App::new().app_data(document.clone()).data_factory(api);
            app.configure(|config| http::routes(config, exposure))
        });
        let http = http
            .workers(server.workers)
            .max_connections(server.connections_per_worker)
            .client_request_timeout(server.head_timeout)
            .tls_handshake_timeout(server.head_timeout)
            .keep_alive(server.keep_alive)
            .shutdown_timeout(server.shutdown.as_secs())
            .disable_signals();
        let http = match tls {
            Some(tls) => http.listen_rustls_0_23(self.socket, tls.clone())?,
            None => http.listen(self.socket)?,
        };
        Ok(http.run())
    }
}

/// What the workers of a listener are made of.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) catalog: Arc<Catalog>,
    pub(super) limits: Arc<Limits>,
    pub(super) numbering: Numbering,
    pub(super) backing: Backing,
    pub(super) backends: Arc<Backends>,
    pub(super) readiness: Readiness,
    pub(super) settings: Arc<Settings>,
}

impl Parts {
    fn seen_by(&self, groups: Groups) -> Self {
        let mut parts = self.clone();
        if groups != Groups::ALL {
            parts.catalog = Arc::new(self.catalog.seen_by(groups));
        }
        parts
    }

    async fn api(self) -> Result<Api, StoreError> {
        let store = self.backing.open().await?;
        let limits = Arc::clone(&self.limits);
        let services = Services::new(self.catalog, store, limits, self.numbering, self.backends);
        let services = services.throttled(self.settings.throttle.clone());
        Ok(Api::new(
            services,
            self.limits,
            self.readiness,
            &self.settings,
        ))
    }
}
