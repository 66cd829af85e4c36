//! The way to backends: one HTTP client for all workers.
//!
//! It follows no redirect, asks no proxy, and sends nothing twice: a request goes again only where it
//! is certain that nothing of it was sent, because no connection stood. (The client itself does so too,
//! where the other side closes a kept connection before a byte was written.) `hyper-util`'s client is
//! what `reqwest` is made of; without the layers above it a request costs less, and nothing but this is
//! needed of them.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Body, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::ClientConfig;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, info, warn};

use super::{circuit_breaker::CircuitBreaker, request::BackendRequest};
use crate::{
    settings,
    telemetry::{metrics::BackendOutcome, traces},
    tls_client, tls_errors,
};

/// How long a connection is kept that nobody uses: less than the five seconds after which common
/// servers close one, so that no request meets a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// What names certificates to trust beside those of the system.
const CA_FILE_SETTING: &str = "backend.ca_file";
/// Bytes of an error's body that are read so that the connection can be kept.
const MAX_DRAINED_BYTES: usize = 64 * 1024;

/// All backends there are, and the way to them.
pub struct Backends {
    plain: HttpsClient,
    /// Trusts certificates, which take a MiB: made when the first backend is to be reached by TLS.
    tls: OnceLock<HttpsClient>,
    settings: settings::Backend,
    backends: RwLock<HashMap<String, Arc<Backend>>>,
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// One backend.
struct Backend {
    circuit_breaker: CircuitBreaker,
    connections: Semaphore,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub(super) struct BackendResponse {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The backend's circuit is open: it was not asked.
    CircuitOpen,
    /// No connection stood in time: nothing was sent.
    ConnectError,
    /// It did not answer in time.
    TimedOut(Duration),
    /// The connection broke, or what came is no HTTP.
    ConnectionError,
    /// The answer is over so many bytes.
    ResponseTooLarge(usize),
}

fn build_client(settings: &settings::Backend, tls: ClientConfig) -> HttpsClient {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(settings.connect_timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(settings.connections)
        .build(connector)
}

impl Backends {
    /// A way to backends. With `with_tls` certificates are read now, else when they are needed.
    ///
    /// # Errors
    /// What is wrong with the certificates that are set.
    pub fn new(settings: &settings::Backend, with_tls: bool) -> Result<Self, String> {
        let authorities = settings.ca_certificates.as_deref();
        let backends = Self {
            plain: build_client(
                settings,
                tls_client::client_config(CA_FILE_SETTING, authorities, false)?,
            ),
            tls: OnceLock::new(),
            settings: settings.clone(),
            backends: RwLock::default(),
        };
        if with_tls {
            let trusting = build_client(
                settings,
                tls_client::client_config(CA_FILE_SETTING, authorities, true)?,
            );
            drop(backends.tls.set(trusting));
        }
        Ok(backends)
    }

    /// The client for the backend at `base`.
    fn client_for(&self, base: &str) -> Result<&HttpsClient, Failure> {
        if !base.starts_with("https:") {
            return Ok(&self.plain);
        }
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let config = tls_client::client_config(
            CA_FILE_SETTING,
            self.settings.ca_certificates.as_deref(),
            true,
        );
        let config = config.map_err(|error| {
            warn!(base, error, "a backend cannot be reached by TLS");
            Failure::ConnectError
        })?;
        Ok(self
            .tls
            .get_or_init(|| build_client(&self.settings, config)))
    }

    pub(in crate::service) fn settings(&self) -> &settings::Backend {
        &self.settings
    }

    fn backend(&self, base: &str) -> Arc<Backend> {
        let known = self.backends.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = known.get(base) {
            return Arc::clone(backend);
        }
        drop(known);
        let mut known = self
            .backends
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let settings = &self.settings;
        let new = || Backend {
            circuit_breaker: CircuitBreaker::new(
                settings.circuit_breaker_failures,
                settings.circuit_reset_timeout,
            ),
            connections: Semaphore::new(settings.connections),
        };
        let backend = known.entry(base.to_owned());
        Arc::clone(backend.or_insert_with(|| Arc::new(new())))
    }

    /// Sends `call` to the backend at `base`, once, and reads its answer.
    pub(super) async fn send(
        &self,
        base: &str,
        call: &BackendRequest<'_>,
    ) -> Result<BackendResponse, Failure> {
        let reply = self.send_through_circuit_breaker(base, call).await;
        outcome(&reply).count();
        reply
    }

    async fn send_through_circuit_breaker(
        &self,
        base: &str,
        call: &BackendRequest<'_>,
    ) -> Result<BackendResponse, Failure> {
        let backend = self.backend(base);
        if !backend.circuit_breaker.allows_request() {
            return Err(Failure::CircuitOpen);
        }
        let connected_by = Instant::now() + self.settings.connect_timeout;
        let Ok(Ok(_connection)) = timeout_at(connected_by, backend.connections.acquire()).await
        else {
            debug!(base, "all connections to a backend are in use");
            return Err(Failure::ConnectError);
        };
        let reply = self.exchange(base, call, connected_by).await;
        match &reply {
            Err(Failure::ConnectError | Failure::TimedOut(_) | Failure::ConnectionError) => {
                if backend.circuit_breaker.record_failure() {
                    warn!(
                        base,
                        "a backend does not answer, and is not asked for a while"
                    );
                }
            }
            _ => {
                if backend.circuit_breaker.record_success() {
                    info!(base, "a backend answers again");
                }
            }
        }
        reply
    }

    async fn exchange(
        &self,
        base: &str,
        call: &BackendRequest<'_>,
        connected_by: Instant,
    ) -> Result<BackendResponse, Failure> {
        let mut request = build_request(base, call).ok_or(Failure::ConnectError)?;
        let mut span = traces::start_backend_span(method_name(&call.method), base);
        if let Some(span) = &span {
            span.inject_headers(|name, value| insert_header(&mut request, name, value));
        }
        let reply = self.exchange_request(base, request, connected_by).await;
        if let Some(span) = &mut span {
            match &reply {
                Ok(reply) => span.record_response(reply.status.as_u16()),
                Err(_) => span.record_error(outcome(&reply).name()),
            }
        }
        reply
    }

    async fn exchange_request(
        &self,
        base: &str,
        mut request: Request<Full<Bytes>>,
        connected_by: Instant,
    ) -> Result<BackendResponse, Failure> {
        let mut connection = capture_connection(&mut request);
        let failure = |error: &Error| {
            let reason = tls_errors::error_chain(error);
            if tls_errors::advice(&reason).is_some() {
                let reason = tls_errors::with_advice(reason);
                warn!(base, reason, "a backend cannot be reached by TLS");
            } else {
                debug!(base, reason, "a backend failed");
            }
            if error.is_connect() {
                Failure::ConnectError
            } else {
                Failure::ConnectionError
            }
        };
        let mut response = pin!(self.client_for(base)?.request(request));
        let connected = async {
            tokio::select! {
                biased;
                _ = connection.wait_for_connection_metadata() => None,
                early = &mut response => Some(early),
            }
        };
        let early = timeout_at(connected_by, connected).await;
        let early = early.map_err(|_elapsed| Failure::ConnectError)?;
        let patience = self.settings.response_timeout;
        let answered = async {
            let response = match early {
                Some(response) => response,
                None => response.await,
            };
            read_response(
                response.map_err(|error| failure(&error))?,
                self.settings.max_response_bytes,
            )
            .await
        };
        let answered = timeout(patience, answered).await;
        answered.map_err(|_elapsed| Failure::TimedOut(patience))?
    }
}

/// Its name, for ever; those that options allow.
fn method_name(method: &Method) -> &'static str {
    let names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    let known = names.into_iter().find(|name| *name == method.as_str());
    known.unwrap_or("HTTP")
}

fn insert_header(request: &mut Request<Full<Bytes>>, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        request.headers_mut().insert(name, value);
    }
}

fn outcome(reply: &Result<BackendResponse, Failure>) -> BackendOutcome {
    match reply {
        Ok(reply) if reply.status.is_success() => BackendOutcome::Success,
        Ok(_) => BackendOutcome::HttpError,
        Err(Failure::CircuitOpen) => BackendOutcome::CircuitOpen,
        Err(Failure::ConnectError) => BackendOutcome::ConnectError,
        Err(Failure::TimedOut(_)) => BackendOutcome::Timeout,
        Err(Failure::ConnectionError) => BackendOutcome::ConnectionError,
        Err(Failure::ResponseTooLarge(_)) => BackendOutcome::ResponseTooLarge,
    }
}

fn build_request(base: &str, call: &BackendRequest<'_>) -> Option<Request<Full<Bytes>>> {
    let uri: Uri = [base, &call.path].concat().parse().ok()?;
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    call.add_headers(request.headers_mut());
    Some(request)
}

async fn read_response(
    response: Response<Incoming>,
    limit: usize,
) -> Result<BackendResponse, Failure> {
    let (head, mut body) = response.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE);
    let mut reply = BackendResponse {
        status: head.status,
        content_type: content_type.map_or_else(String::new, |value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .take(100)
                .collect()
        }),
        body: Bytes::new(),
    };
    let is_success = head.status.is_success();
    let limit = if is_success {
        limit
    } else {
        limit.min(MAX_DRAINED_BYTES)
    };
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut joined = BytesMut::new();
    let mut too_long = told > limit;
    while !too_long && let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Of an error only the status is told, and that is there.
            return if is_success {
                Err(Failure::ConnectionError)
            } else {
                Ok(reply)
            };
        };
        let Ok(bytes) = frame.into_data() else {
            continue; // trailers
        };
        too_long = reply.body.len() + joined.len() + bytes.len() > limit;
        if too_long {
            break;
        }
        if reply.body.is_empty() && joined.is_empty() {
            reply.body = bytes;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut reply.body));
            joined.extend_from_slice(&bytes);
        }
    }
    if too_long && is_success {
        return Err(Failure::ResponseTooLarge(limit));
    }
    if !joined.is_empty() {
        reply.body = joined.freeze();
    }
    Ok(reply)
}
