//! Exports traces over HTTP with the HTTP client of the backends, so that the program has only one. The
//! exporter has a thread without a runtime; its requests run on the runtime of the program.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::{runtime::Handle, time::timeout};
use tracing::warn;

use crate::{settings, tls_client, tls_errors};

/// Maximum size of a collector's response.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Idle timeout of a connection: less than the five seconds after which common servers close it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

pub(super) struct HttpExporter {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
}

impl HttpExporter {
    /// An exporter for the endpoint in `settings`.
    ///
    /// # Errors
    /// An invalid endpoint or certificate.
    pub(super) fn build(settings: &settings::Traces) -> Result<SpanExporter, String> {
        let tls = tls_client::client_config(
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            settings.authorities.as_deref(),
            settings.endpoint.starts_with("https:"),
        )?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        let http_client = Self {
            client,
            runtime: Handle::try_current().map_err(|error| error.to_string())?,
            timeout: settings.timeout,
        };
        SpanExporter::builder()
            .with_http()
            .with_http_client(http_client)
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .with_protocol(Protocol::HttpBinary)
            .with_headers(settings.headers.iter().cloned().collect())
            .build()
            .map_err(|error| format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}"))
    }
}

/// The URL of the endpoint may contain a password.
impl fmt::Debug for HttpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpExporter")
    }
}

#[async_trait]
impl HttpClient for HttpExporter {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, time_limit) = (self.client.clone(), self.timeout);
        let exchange = async move {
            let response = client.request(request.map(Full::new)).await;
            let response = response.map_err(|error| {
                let reason = tls_errors::with_advice(tls_errors::error_chain(&error));
                // The SDK replaces the error by a fixed text.
                warn!(reason, "trace collector request failed");
                reason
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_RESPONSE_BYTES)
                .collect()
                .await?
                .to_bytes();
            Ok(Response::from_parts(head, body))
        };
        let with_timeout = async move { timeout(time_limit, exchange).await };
        self.runtime.spawn(with_timeout).await??
    }
}
