//! The HTTP client for backends, shared by all workers.
//!
//! It follows no redirects, uses no proxy and retries nothing: another attempt is made only if no connection was
//! established, so nothing was sent. (The client retries by itself if the server closes an idle connection before a
//! byte is written.) It uses `hyper-util` directly instead of `reqwest`, which is built on it: a request costs less,
//! and the additional layers are not needed.

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

/// The idle timeout of a connection. It is shorter than the five seconds of common servers, so that no request uses a
/// connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// The setting of additional CA certificates.
const CA_FILE_SETTING: &str = "backend.ca_file";
/// Maximum size of an error's body that is read so that the connection can be reused.
const MAX_DRAINED_BYTES: usize = 64 * 1024;

/// The clients and the state of all backends.
pub struct Backends {
    plain: HttpsClient,
    /// The client for TLS. Its CA certificates take a MiB, so it is created for the first backend with TLS.
    tls: OnceLock<HttpsClient>,
    settings: settings::Backend,
    by_url: RwLock<HashMap<String, Arc<Backend>>>,
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// One backend.
struct Backend {
    circuit_breaker: CircuitBreaker,
    connections: Semaphore,
}

/// A response of any status.
#[derive(Debug)]
pub(super) struct BackendResponse {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The circuit breaker is open. Nothing was sent.
    CircuitOpen,
    /// No connection was established in time. Nothing was sent.
    ConnectError,
    /// The response timed out.
    TimedOut(Duration),
    /// The connection was lost, or the response is not HTTP.
    ConnectionError,
    /// The response exceeds this number of bytes.
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
    /// Creates the client. With `with_tls` the CA certificates are loaded now, otherwise at their first use.
    ///
    /// # Errors
    /// The configured certificates are invalid.
    pub fn new(settings: &settings::Backend, with_tls: bool) -> Result<Self, String> {
        let authorities = settings.ca_certificates.as_deref();
        let backends = Self {
            plain: build_client(
                settings,
                tls_client::client_config(CA_FILE_SETTING, authorities, false)?,
            ),
            tls: OnceLock::new(),
            settings: settings.clone(),
            by_url: RwLock::default(),
        };
        if with_tls {
            let tls = build_client(
                settings,
                tls_client::client_config(CA_FILE_SETTING, authorities, true)?,
            );
            drop(backends.tls.set(tls));
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
            warn!(base, error, "backend TLS connection failed");
            Failure::ConnectError
        })?;
        Ok(self
            .tls
            .get_or_init(|| build_client(&self.settings, config)))
    }

    pub(crate) fn settings(&self) -> &settings::Backend {
        &self.settings
    }

    fn backend(&self, base: &str) -> Arc<Backend> {
        let backends = self.by_url.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = backends.get(base) {
            return Arc::clone(backend);
        }
        drop(backends);
        let mut backends = self.by_url.write().unwrap_or_else(PoisonError::into_inner);
        let settings = &self.settings;
        let new_backend = || Backend {
            circuit_breaker: CircuitBreaker::new(
                settings.circuit_breaker_failures,
                settings.circuit_reset_timeout,
            ),
            connections: Semaphore::new(settings.connections),
        };
        let backend = backends.entry(base.to_owned());
        Arc::clone(backend.or_insert_with(|| Arc::new(new_backend())))
    }

    /// Sends `request` to the backend at `base` once, and reads the response.
    pub(super) async fn send(
        &self,
        base: &str,
        request: &BackendRequest<'_>,
    ) -> Result<BackendResponse, Failure> {
        let result = self.send_through_circuit_breaker(base, request).await;
        outcome(&result).count();
        result
    }

    async fn send_through_circuit_breaker(
        &self,
        base: &str,
        request: &BackendRequest<'_>,
    ) -> Result<BackendResponse, Failure> {
        let backend = self.backend(base);
        if !backend.circuit_breaker.allows_request() {
            return Err(Failure::CircuitOpen);
        }
        let connect_deadline = Instant::now() + self.settings.connect_timeout;
        let Ok(Ok(_connection)) = timeout_at(connect_deadline, backend.connections.acquire()).await
        else {
            debug!(base, "all connections to backend in use");
            return Err(Failure::ConnectError);
        };
        let result = self.exchange(base, request, connect_deadline).await;
        match &result {
            Err(Failure::ConnectError | Failure::TimedOut(_) | Failure::ConnectionError) => {
                if backend.circuit_breaker.record_failure() {
                    warn!(base, "circuit breaker opened: backend does not respond");
                }
            }
            _ => {
                if backend.circuit_breaker.record_success() {
                    info!(base, "circuit breaker closed: backend responds again");
                }
            }
        }
        result
    }

    async fn exchange(
        &self,
        base: &str,
        request: &BackendRequest<'_>,
        connect_deadline: Instant,
    ) -> Result<BackendResponse, Failure> {
        let mut http_request = build_request(base, request).ok_or(Failure::ConnectError)?;
        let mut span = traces::start_backend_span(method_name(&request.method), base);
        if let Some(span) = &span {
            span.inject_headers(|name, value| insert_header(&mut http_request, name, value));
        }
        let result = self
            .exchange_request(base, http_request, connect_deadline)
            .await;
        if let Some(span) = &mut span {
            match &result {
                Ok(response) => span.record_response(response.status.as_u16()),
                Err(_) => span.record_error(outcome(&result).name()),
            }
        }
        result
    }

    async fn exchange_request(
        &self,
        base: &str,
        mut request: Request<Full<Bytes>>,
        connect_deadline: Instant,
    ) -> Result<BackendResponse, Failure> {
        let mut connection = capture_connection(&mut request);
        let failure = |error: &Error| {
            let reason = tls_errors::error_chain(error);
            if tls_errors::advice(&reason).is_some() {
                let reason = tls_errors::with_advice(reason);
                warn!(base, reason, "backend TLS connection failed");
            } else {
                debug!(base, reason, "backend request failed");
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
        let early = timeout_at(connect_deadline, connected).await;
        let early = early.map_err(|_elapsed| Failure::ConnectError)?;
        let timeout_after = self.settings.response_timeout;
        let response = async {
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
        let response = timeout(timeout_after, response).await;
        response.map_err(|_elapsed| Failure::TimedOut(timeout_after))?
    }
}

/// The static name of a method that options allow.
fn method_name(method: &Method) -> &'static str {
    let names = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    let name = names.into_iter().find(|name| *name == method.as_str());
    name.unwrap_or("HTTP")
}

fn insert_header(request: &mut Request<Full<Bytes>>, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        request.headers_mut().insert(name, value);
    }
}

fn outcome(result: &Result<BackendResponse, Failure>) -> BackendOutcome {
    match result {
        Ok(response) if response.status.is_success() => BackendOutcome::Success,
        Ok(_) => BackendOutcome::HttpError,
        Err(Failure::CircuitOpen) => BackendOutcome::CircuitOpen,
        Err(Failure::ConnectError) => BackendOutcome::ConnectError,
        Err(Failure::TimedOut(_)) => BackendOutcome::Timeout,
        Err(Failure::ConnectionError) => BackendOutcome::ConnectionError,
        Err(Failure::ResponseTooLarge(_)) => BackendOutcome::ResponseTooLarge,
    }
}

fn build_request(base: &str, request: &BackendRequest<'_>) -> Option<Request<Full<Bytes>>> {
    let uri: Uri = [base, &request.path].concat().parse().ok()?;
    let mut http_request = Request::new(Full::new(request.body.clone()));
    *http_request.method_mut() = request.method.clone();
    *http_request.uri_mut() = uri;
    request.add_headers(http_request.headers_mut());
    Some(http_request)
}

async fn read_response(
    response: Response<Incoming>,
    limit: usize,
) -> Result<BackendResponse, Failure> {
    let (head, mut body) = response.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE);
    let mut result = BackendResponse {
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
    let announced_bytes = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut joined = BytesMut::new();
    let mut too_large = announced_bytes > limit;
    while !too_large && let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Only the status of an error is reported.
            return if is_success {
                Err(Failure::ConnectionError)
            } else {
                Ok(result)
            };
        };
        let Ok(bytes) = frame.into_data() else {
            continue; // trailers
        };
        too_large = result.body.len() + joined.len() + bytes.len() > limit;
        if too_large {
            break;
        }
        if result.body.is_empty() && joined.is_empty() {
            result.body = bytes;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut result.body));
            joined.extend_from_slice(&bytes);
        }
    }
    if too_large && is_success {
        return Err(Failure::ResponseTooLarge(limit));
    }
    if !joined.is_empty() {
        result.body = joined.freeze();
    }
    Ok(result)
}
