//! The web server of a listener.
//!
//! `HttpServer` of actix-web has no access to the connection, so it can neither leave HTTP/2 out of ALPN
//! (`docs/adr/0013-http2-off-by-default.md`) nor replace the response to a request that the parser rejects
//! (`docs/adr/0015-requests-that-the-parser-rejects.md`). This joins the same parts (`HttpService` of actix-http, the TLS
//! acceptor of actix-tls) as `HttpServer::listen` and `HttpServer::listen_rustls_0_23` do.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::{
    HttpService, KeepAlive, Protocol, Request, Response, body::BoxBody, error::DispatchError,
};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
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
use tokio::io::{AsyncRead, AsyncWrite};

use super::rejected_requests::{Accepted, respond_to_rejected};
use crate::{settings::Server, telemetry::metrics::HttpMetrics};

const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";
/// Time for a client to close its side after a response to a request that was not read completely:
/// the default of `HttpServer`.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The TLS configuration of a listener that offers HTTP/1.1 and, if `http2` is set, HTTP/2.
pub(super) fn with_alpn(mut tls: ServerConfig, http2: bool) -> ServerConfig {
    let offered = if http2 {
        &[HTTP_2, HTTP_1][..]
    } else {
        &[HTTP_1]
    };
    tls.alpn_protocols = offered.iter().map(|version| version.to_vec()).collect();
    tls
}

/// Serves `app` on `socket`, over TLS if there is a configuration for it. Requests that the parser rejects are counted in
/// `metrics`.
///
/// # Errors
/// The error of the operating system.
pub(super) fn listen<F, A, S, B>(
    socket: TcpListener,
    tls: Option<ServerConfig>,
    server: &Server,
    metrics: Arc<HttpMetrics>,
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
    let address = socket.local_addr()?;
    let builder = ActixServer::build()
        .workers(server.workers)
        .max_concurrent_connections(server.connections_per_worker)
        .shutdown_timeout(server.shutdown.as_secs())
        .disable_signals();
    let stop_signal = builder.graceful_shutdown_signal();
    let stopped = move || {
        let stop_signal = stop_signal.clone();
        async move { stop_signal.notified().await }
    };
    let config = Config {
        address,
        tls: tls.is_some(),
        head_timeout: server.request_header_timeout,
        keep_alive: server.keep_alive,
        metrics,
    };
    let builder = match tls {
        None => builder.listen(format!("http-{address}"), socket, move || {
            fn_service(async |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                Ok((stream, Protocol::Http1, peer))
            })
            .and_then(http_service(app(), config.clone(), stopped.clone()))
        })?,
        Some(tls) => builder.listen(format!("https-{address}"), socket, move || {
            let mut acceptor = Acceptor::new(tls.clone());
            acceptor.set_handshake_timeout(config.head_timeout);
            let http = http_service(app(), config.clone(), stopped.clone());
            acceptor
                .map_init_err(|()| ())
                .map_err(TlsError::into_service_error)
                .and_then(async |stream: TlsStream<TcpStream>| {
                    let (tcp, session) = stream.get_ref();
                    let protocol = match session.alpn_protocol() {
                        Some(HTTP_2) => Protocol::Http2,
                        _ => Protocol::Http1,
                    };
                    // Send small responses without delay.
                    drop(tcp.set_nodelay(true));
                    let peer = tcp.peer_addr().ok();
                    Ok((stream, protocol, peer))
                })
                .and_then(http.map_err(TlsError::Service))
        })?,
    };
    Ok(builder.run())
}

/// Settings of the connections of a listener.
#[derive(Clone)]
struct Config {
    address: SocketAddr,
    tls: bool,
    head_timeout: Duration,
    keep_alive: Duration,
    metrics: Arc<HttpMetrics>,
}

/// Serves `app` on accepted connections.
fn http_service<T, A, S, B, F>(
    app: A,
    config: Config,
    stopped: impl Fn() -> F + 'static,
) -> impl ServiceFactory<Accepted<T>, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    A: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error>,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
    F: Future<Output = ()> + 'static,
{
    let Config { address, tls, .. } = config;
    let app = app.into_factory().map_err(|error| {
        let error: Error = error.into();
        Response::<BoxBody>::from(error.error_response())
    });
    let app = map_config(app, move |()| {
        AppConfig::__priv_test_new(tls, address.to_string(), address)
    });
    let http = HttpService::build()
        .graceful_shutdown_signal(stopped)
        .keep_alive(KeepAlive::from(config.keep_alive))
        .client_request_timeout(config.head_timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .local_addr(address)
        .finish(app);
    respond_to_rejected(http, tls, DISCONNECT_TIMEOUT, config.metrics)
}
