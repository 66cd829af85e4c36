//! Metrics of requests to backends.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::handles::LabeledCounters;

/// The outcome of a request to a backend.
#[derive(Debug, Clone, Copy)]
pub enum BackendOutcome {
    /// A successful response.
    Success,
    /// A response with another status.
    HttpError,
    /// Not sent, because the circuit breaker is open.
    CircuitOpen,
    /// No connection within the timeout.
    ConnectError,
    /// No complete response within the timeout.
    Timeout,
    /// The connection was lost.
    ConnectionError,
    /// The response exceeds the size limit.
    ResponseTooLarge,
}

const OUTCOMES: [&str; 7] = [
    "success",
    "http_error",
    "circuit_open",
    "connect_error",
    "timeout",
    "connection_error",
    "response_too_large",
];

impl BackendOutcome {
    /// The value of the label `outcome`.
    #[must_use]
    pub fn name(self) -> &'static str {
        OUTCOMES.get(self as usize).copied().unwrap_or_default()
    }
}

/// Requests to backends.
#[derive(Debug, Clone)]
pub struct BackendMetrics {
    requests: LabeledCounters,
    by_outcome: [Counter; OUTCOMES.len()],
}

impl Default for BackendMetrics {
    fn default() -> Self {
        let requests = LabeledCounters::default();
        Self {
            by_outcome: OUTCOMES.map(|name| requests.get_or_create_owned(&[("outcome", name)])),
            requests,
        }
    }
}

impl BackendMetrics {
    /// Counts one request.
    pub fn count(&self, outcome: BackendOutcome) {
        if let Some(counter) = self.by_outcome.get(outcome as usize) {
            counter.inc();
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests to backends, by outcome";
        registry.register("backend_requests", help, self.requests.clone());
    }
}
