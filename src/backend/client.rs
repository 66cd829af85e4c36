//! The HTTP clients and the state of all backends, shared by all workers.
//!
//! Nothing is retried: another attempt is made only if no connection was established, so nothing was sent.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use reqwest::Client;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tower::util::MapFutureLayer;
use tracing::{debug, info, warn};

use super::{
    circuit_breaker::CircuitBreaker,
    exchange::{BackendResponse, Failure, exchange, outcome},
    request::BackendRequest,
    time_limits::limit_connecting,
};
use crate::{
    http_client::{self, SystemAuthorities},
    settings,
    telemetry::metrics::BackendMetrics,
};

/// The setting of additional CA certificates.
const CA_FILE_SETTING: &str = "backend.ca_file";

/// The age of the last attempt after which nothing is known about a backend.
const MAX_ATTEMPT_AGE: Duration = Duration::from_secs(600);

/// The clients and the state of all backends.
pub struct Backends {
    plain: Client,
    /// The client for TLS. Its CA certificates take a MiB, so it is created for the first backend with TLS.
    tls: OnceLock<Client>,
    settings: settings::Backend,
    metrics: BackendMetrics,
    by_url: RwLock<HashMap<String, Arc<Backend>>>,
}

/// One backend.
struct Backend {
    circuit_breaker: CircuitBreaker,
    connections: Semaphore,
}

impl Backend {
    /// Whether the circuit is open because of requests of the last minutes.
    fn is_failing(&self) -> bool {
        self.circuit_breaker
            .is_open_since_attempt_within(MAX_ATTEMPT_AGE)
    }
}

fn build_client(settings: &settings::Backend, system: SystemAuthorities) -> Result<Client, String> {
    let builder = http_client::builder()
        .connector_layer(MapFutureLayer::new(limit_connecting))
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.connections);
    let authorities = settings.ca_certificates.as_deref();
    http_client::build_with_authorities(builder, CA_FILE_SETTING, authorities, system)
}

impl Backends {
    /// Creates the client. With `with_tls` the CA certificates are loaded now, otherwise at their first use.
    ///
    /// # Errors
    /// The configured certificates are invalid, or there are none.
    pub fn new(
        settings: &settings::Backend,
        with_tls: bool,
        metrics: BackendMetrics,
    ) -> Result<Self, String> {
        let backends = Self {
            plain: build_client(settings, SystemAuthorities::Ignored)?,
            tls: OnceLock::new(),
            settings: settings.clone(),
            metrics,
            by_url: RwLock::default(),
        };
        if with_tls {
            let tls = build_client(settings, SystemAuthorities::Trusted)?;
            drop(backends.tls.set(tls));
        }
        Ok(backends)
    }

    /// The client for the backend at `base`.
    fn client_for(&self, base: &str) -> Result<&Client, Failure> {
        if !base.starts_with("https:") {
            return Ok(&self.plain);
        }
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let client = build_client(&self.settings, SystemAuthorities::Trusted);
        let client = client.map_err(|error| {
            warn!(base, error, "backend TLS connection failed");
            Failure::ConnectError
        })?;
        Ok(self.tls.get_or_init(|| client))
    }

    pub(crate) fn settings(&self) -> &settings::Backend {
        &self.settings
    }

    /// The base URLs of the backends whose circuits are open and that were tried lately. Others, such as those of
    /// definitions that were deleted, receive no requests any more.
    #[must_use]
    pub fn open_circuits(&self) -> Vec<String> {
        let backends = self.by_url.read().unwrap_or_else(PoisonError::into_inner);
        let open = backends.iter().filter(|(_, backend)| backend.is_failing());
        let mut open: Vec<String> = open.map(|(base, _)| base.clone()).collect();
        open.sort();
        open
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
        self.metrics.count(outcome(&result));
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
        let result = match self.client_for(base) {
            Ok(client) => exchange(client, &self.settings, base, request, connect_deadline).await,
            Err(failure) => Err(failure),
        };
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
}
