//! Requests that the HTTP parser rejects: their response, their metric and their log line.
//!
//! See `docs/adr/0015-requests-that-the-parser-rejects.md`.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_http::{
    Protocol,
    error::{DispatchError, ParseError},
};
use actix_service::{ServiceFactory, apply_fn_factory};
use actix_web::dev::Service;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tracing::info;

use super::connection::Connection;
use crate::{http::Rejection, telemetry::metrics::HttpMetrics};

const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// A new connection, as `HttpService` takes it.
pub(super) type Accepted<T> = (T, Protocol, Option<SocketAddr>);

/// Serves connections by `http`, an `HttpService`, with the errors of this service in place of its bare responses. A
/// client has `disconnect_timeout` to read such an error and to close the connection.
pub(super) fn respond_to_rejected<T, F>(
    http: F,
    tls: bool,
    disconnect_timeout: Duration,
    metrics: Arc<HttpMetrics>,
) -> impl ServiceFactory<
    Accepted<T>,
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = F::InitError,
>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    F: ServiceFactory<Accepted<Connection<T>>, Config = (), Response = (), Error = DispatchError>,
    <F::Service as Service<Accepted<Connection<T>>>>::Future: 'static,
{
    apply_fn_factory(http, move |(io, protocol, peer), http: &F::Service| {
        let reject = Reject {
            tls,
            metrics: Arc::clone(&metrics),
        };
        let timed_out = reject.clone();
        let connection = match protocol {
            Protocol::Http2 => Connection::http2(io),
            _ => Connection::http1(
                io,
                Box::new(move |date| timed_out.response(Rejection::HeadTimeout, date)),
            ),
        };
        // On the heap: an async function has twice the size of a future that it takes and polls, and so has the task
        // of the connection again. These bytes are used as long as the connection is open.
        let served = Box::pin(http.call((connection.clone(), protocol, peer)));
        Box::pin(serve(connection, served, reject, disconnect_timeout))
    })
}

async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    connection: Connection<T>,
    mut served: impl Future<Output = Result<(), DispatchError>> + Unpin,
    reject: Reject,
    disconnect_timeout: Duration,
) -> Result<(), DispatchError> {
    let result = poll_fn(|cx| {
        let result = Pin::new(&mut served).poll(cx);
        if result.is_pending() {
            connection.release(cx);
        }
        result
    })
    .await;
    if let Err(DispatchError::Parse(error)) = &result {
        let rejection = rejection(error);
        let respond = |date: &str| reject.response(rejection, date);
        if connection.replace_bare_response(respond) {
            log(rejection, error);
            // On the heap, because it is rare and the task has room for it as long as the connection is open.
            drop(Box::pin(timeout(disconnect_timeout, close(connection))).await);
        }
    }
    result
}

/// Writes the queue and closes the connection. A connection that is closed before the client has sent everything
/// would be reset, and the client could lose the response (RFC 9112 9.6).
async fn close<T: AsyncRead + AsyncWrite + Unpin>(mut connection: Connection<T>) {
    if connection.shutdown().await.is_err() {
        return;
    }
    let mut discarded = vec![0; 16 * 1024];
    while connection
        .read(&mut discarded)
        .await
        .is_ok_and(|length| length > 0)
    {}
}

/// Makes the responses of a connection.
#[derive(Clone)]
struct Reject {
    tls: bool,
    metrics: Arc<HttpMetrics>,
}

impl Reject {
    /// The response, which is counted.
    fn response(&self, rejection: Rejection, date: &str) -> Vec<u8> {
        let (exception, status) = rejection.row();
        self.metrics
            .count_rejected_request(status.as_u16(), exception);
        rejection.response(date, self.tls)
    }
}

fn rejection(error: &ParseError) -> Rejection {
    match error {
        ParseError::Uri(_) => Rejection::InvalidTarget,
        ParseError::Version => Rejection::UnsupportedVersion,
        ParseError::TooLarge => Rejection::HeadTooLarge,
        _ => Rejection::Malformed,
    }
}

/// Rejected requests that no log line has reported.
struct Unlogged {
    logged: Option<Instant>,
    requests: u64,
}

/// Logs at most one line per minute, because a client can send any number of such requests.
fn log(rejection: Rejection, error: &ParseError) {
    static UNLOGGED: Mutex<Unlogged> = Mutex::new(Unlogged {
        logged: None,
        requests: 0,
    });
    let mut unlogged = UNLOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    unlogged.requests += 1;
    if unlogged
        .logged
        .is_some_and(|at| at.elapsed() < LOG_INTERVAL)
    {
        return;
    }
    let requests = unlogged.requests;
    *unlogged = Unlogged {
        logged: Some(Instant::now()),
        requests: 0,
    };
    drop(unlogged);
    let status = rejection.row().1.as_u16();
    info!(status, reason = %error, requests, "malformed requests rejected");
}
