//! The OTLP exporter, over HTTP.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use reqwest::Client;
use tokio::runtime::{Builder, Runtime};
use tracing::warn;

use crate::{
    http_client::{self, SystemAuthorities},
    settings, tls_errors,
};

/// An exporter for the endpoint in `settings`. It reads the other variables, such as those of headers and compression,
/// itself.
///
/// # Errors
/// An invalid endpoint or certificate.
pub(super) fn build_exporter(settings: &settings::Traces) -> Result<SpanExporter, String> {
    SpanExporter::builder()
        .with_http()
        .with_http_client(CollectorClient::new(settings)?)
        .with_endpoint(&settings.endpoint)
        .with_timeout(settings.timeout)
        .build()
        .map_err(|_error| "the exporter rejected the endpoint, headers or compression".to_owned())
}

/// The HTTP client of the exporter's thread. Its runtime runs in that thread, and only during an export, so exports use
/// no thread of the server.
#[derive(Debug)]
struct CollectorClient {
    client: Client,
    runtime: Runtime,
    is_failing: AtomicBool,
}

impl CollectorClient {
    fn new(settings: &settings::Traces) -> Result<Self, String> {
        let system = if settings.endpoint.starts_with("https:") {
            SystemAuthorities::Trusted
        } else {
            SystemAuthorities::Ignored
        };
        let client = http_client::build_with_authorities(
            http_client::builder().timeout(settings.timeout),
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            settings.authorities.as_deref(),
            system,
        )?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            runtime,
            is_failing: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.runtime.block_on(self.client.send_bytes(request));
        let was_failing = self.is_failing.swap(response.is_err(), Relaxed);
        if let Err(error) = &response
            && !was_failing
        {
            // The error itself contains the URL, which may contain a password.
            let cause = error.source().map(tls_errors::error_chain);
            let reason = tls_errors::with_advice(cause.unwrap_or_default());
            // The SDK replaces the error by a fixed text.
            warn!(reason, "trace collector request failed");
        }
        response
    }
}
