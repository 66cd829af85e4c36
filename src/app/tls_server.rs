//! The web server over TLS, with a say in which HTTP versions it offers.
//!
//! `HttpServer` always offers HTTP/2 where it is compiled in (ALPN), and has no setting against it. This joins
//! the same parts (`HttpService` of actix-http, the TLS acceptor of actix-tls) as `HttpServer::listen_rustls_0_23`
//! does. See `docs/adr/0013-http2-off-by-default.md`.

use std::{fmt, io, net::TcpListener, time::Duration};

use actix_http::{HttpService, KeepAlive, Protocol, Request, Response, body::BoxBody};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_tls::accept::{
    TlsError,
    rustls_0_23::{Acceptor, TlsStream},
};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{AppConfig, Server as ActixServer, Service},
    rt::net::TcpStream,
};
use rustls::ServerConfig;

use crate::settings::Server;

const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";
/// How long a client may take to close its side after a response to a request that was not read to its end:
/// what `HttpServer` has by default.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` on `socket`, over TLS. HTTP/2 is offered with `http2` only.
///
/// # Errors
/// What the system says.
pub(super) fn listen<F, A, S, B>(
    socket: TcpListener,
    mut tls: ServerConfig,
    http2: bool,
    server: &Server,
    app: F,
) -> io::Result<ActixServer>
where
    F: Fn() -> A + Send + Clone + 'static,
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let offered = if http2 {
        &[HTTP_2, HTTP_1][..]
    } else {
        &[HTTP_1]
    };
    tls.alpn_protocols = offered.iter().map(|version| version.to_vec()).collect();
    let address = socket.local_addr()?;
    let (head_timeout, keep_alive) = (server.request_header_timeout, server.keep_alive);
    let builder = ActixServer::build()
        .workers(server.workers)
        .max_concurrent_connections(server.connections_per_worker)
        .shutdown_timeout(server.shutdown.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen(format!("https-{address}"), socket, move || {
        let stopping = stopping.clone();
        let app = app().into_factory().map_err(|error| {
            let error: Error = error.into();
            Response::<BoxBody>::from(error.error_response())
        });
        let app = map_config(app, move |()| {
            AppConfig::__priv_test_new(true, address.to_string(), address)
        });
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KeepAlive::from(keep_alive))
            .client_request_timeout(head_timeout)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .finish(app);
        let mut acceptor = Acceptor::new(tls.clone());
        acceptor.set_handshake_timeout(head_timeout);
        acceptor
            .map_init_err(|()| ())
            .map_err(TlsError::into_service_error)
            .and_then(async |stream: TlsStream<TcpStream>| {
                let (tcp, session) = stream.get_ref();
                let protocol = match session.alpn_protocol() {
                    Some(HTTP_2) => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                // Small responses wait for no more of their kind.
                drop(tcp.set_nodelay(true));
                let peer = tcp.peer_addr().ok();
                Ok((stream, protocol, peer))
            })
            .and_then(http.map_err(TlsError::Service))
    })?;
    Ok(builder.run())
}
