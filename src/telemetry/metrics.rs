//! Metrics, by the crate `prometheus-client`: `GET /metrics`.
//!
//! All layers may use this module; it uses no other layer. [`Metrics`] has the values that code records, [`Sources`] the
//! state that is read at each scrape; both belong to one application. Code records with handles, not
//! by names or labels, except for the first response of a kind and for rejected requests. The only values of the whole process are the lines that the log dropped and the
//! spans ([`SpanOutcome`]), because log and tracer belong to the process.
//!
//! The crate appends `_total` to the names of counters, and a period to the help texts of registered metrics. All labels
//! have fixed sets of values, except for the names of resource groups, configured services and their webhooks, which
//! come from the catalog.

use prometheus_client::{
    encoding::{prometheus_text, text},
    registry::Registry,
};

pub use self::{
    backends::{BackendMetrics, BackendOutcome},
    chats::{ChatMetrics, StreamGuard},
    comet::{CometMetrics, CometTransport},
    handles::GaugeGuard,
    http::{CLIENT_CLOSED_REQUEST, HttpMetrics, MethodLabel, RouteMetrics},
    matches::MatchMetrics,
    redis::{PoolStats, RedisMetrics},
    replica::{EndpointGauges, Sources, SpanOutcome},
    store::{BinaryMetrics, OperationMetrics, StoreMetrics},
    totals::Totals,
    webhooks::{DeliveryResult, WebhookMetrics},
};

mod backends;
mod chats;
mod comet;
mod handles;
mod http;
mod matches;
mod redis;
mod replica;
mod scrape;
mod store;
mod totals;
mod webhooks;

const OPEN_METRICS: &str = "application/openmetrics-text";

/// The values that code records. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Requests.
    pub http: HttpMetrics,
    /// Store operations.
    pub store: StoreMetrics,
    /// Bytes of binaries.
    pub binaries: BinaryMetrics,
    /// Connections to Redis and the checks of its servers.
    pub redis: RedisMetrics,
    /// Requests to backends.
    pub backends: BackendMetrics,
    /// Matches.
    pub matches: MatchMetrics,
    /// Chats.
    pub chats: ChatMetrics,
    /// Push by `CometD`.
    pub comet: CometMetrics,
    /// Deliveries to webhooks.
    pub webhooks: WebhookMetrics,
}

/// Encodes all metrics of an application.
#[derive(Debug)]
pub struct Exporter(Registry);

impl Exporter {
    /// Exports `metrics` and `sources`.
    #[must_use]
    pub fn new(metrics: &Metrics, sources: Sources) -> Self {
        let mut registry = Registry::with_prefix("switchboard");
        metrics.http.register(&mut registry);
        metrics.store.register(&mut registry);
        metrics.binaries.register(&mut registry);
        metrics.redis.register(&mut registry);
        metrics.backends.register(&mut registry);
        metrics.matches.register(&mut registry);
        metrics.chats.register(&mut registry);
        metrics.comet.register(&mut registry);
        metrics.webhooks.register(&mut registry);
        registry.register_collector(Box::new(sources));
        Self(registry)
    }

    /// Encodes all metrics.
    #[must_use]
    pub fn encode(&self, format: Format) -> String {
        let mut output = String::new();
        let encoded = match format {
            Format::Prometheus => prometheus_text::encode(&mut output, &self.0),
            Format::OpenMetrics => text::encode(&mut output, &self.0),
        };
        debug_assert!(encoded.is_ok(), "writing to a string does not fail");
        output
    }
}

/// A text format of metrics.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The media types, without parameters. The first is the default.
    pub const MEDIA_TYPES: [&'static str; 2] = ["text/plain", OPEN_METRICS];

    /// The format with this media type.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Self {
        if media_type == OPEN_METRICS {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}
