//! The OTLP exporter, over HTTP.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use reqwest::Client;
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use crate::{
    http_client::{self, SystemAuthorities},
    settings, tls_errors,
};

/// The exporter of the SDK. Logs when exports begin to fail, and when they succeed again.
#[derive(Debug)]
pub(super) struct CollectorExporter {
    exporter: OtlpExporter,
    request_error: RequestError,
    is_failing: AtomicBool,
}

/// The reason why the last request got no response. The SDK replaces the error by a fixed text.
#[derive(Clone, Debug, Default)]
struct RequestError(Arc<Mutex<Option<String>>>);

impl CollectorExporter {
    /// An exporter for the endpoint in `settings`. It reads the other variables, such as those of headers and
    /// compression, itself.
    ///
    /// # Errors
    /// An invalid endpoint or certificate.
    pub(super) fn new(settings: &settings::Traces) -> Result<Self, String> {
        let request_error = RequestError::default();
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(settings, request_error.clone())?)
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .build()
            .map_err(|_error| "the exporter rejected the endpoint, headers or compression")?;
        Ok(Self {
            exporter,
            request_error,
            is_failing: AtomicBool::new(false),
        })
    }
}

impl SpanExporter for CollectorExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(result.is_err(), Relaxed);
        let request_error = self.request_error.take();
        match &result {
            Err(error) if !was_failing => {
                let reason = request_error.unwrap_or_else(|| error.to_string());
                warn!(reason, "span export failed");
            }
            Ok(()) if was_failing => info!("span export recovered"),
            _ => {}
        }
        result
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl RequestError {
    fn set(&self, error: &HttpError) {
        // The error itself contains the URL, which may contain a password.
        let cause = error.source().map(tls_errors::error_chain);
        let reason = tls_errors::with_advice(cause.unwrap_or_default());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The HTTP client of the exporter's thread. Its runtime runs in that thread, and only during an export, so exports use
/// no thread of the server.
#[derive(Debug)]
struct CollectorClient {
    client: Client,
    runtime: Runtime,
    error: RequestError,
}

impl CollectorClient {
    fn new(settings: &settings::Traces, error: RequestError) -> Result<Self, String> {
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
            error,
        })
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.runtime.block_on(self.client.send_bytes(request));
        if let Err(error) = &response {
            self.error.set(error);
        }
        response
    }
}
