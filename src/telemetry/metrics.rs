//! Metrics, in the text format of Prometheus: `GET /metrics`.
//!
//! All layers may use this module; it uses no other layer. Metrics belong to the process, as the log
//! does. All labels have fixed sets of values, except for the names of resource groups, which come from
//! the catalog. This is why no metrics library is used: a label is an array index, so that a request is
//! counted by a few additions, without hashing, lookups or locks.

use self::encode::TextEncoder;
pub use self::{
    deployment::{DeploymentMetrics, deployment_metrics, set_deployment_metrics},
    primitives::{Counter, Gauge, GaugeGuard},
    process::{
        BackendOutcome, CLEANUP_ERRORS, CLEANUP_LEADER, CLEANUP_SERVICES,
        KEYSPACE_LISTENERS_EXPECTED, KEYSPACE_LISTENERS_SUBSCRIBED, SpanOutcome,
        catalog_entries_lost, is_cleanup_leader, keyspace_notifications_enabled,
        set_catalog_entries_lost, set_clock_skew,
    },
    redis_checks::{record_redis_check, retain_redis_servers},
    requests::{
        CLIENT_CLOSED_REQUEST, MethodLabel, RouteMetrics, count_rejected_request, is_service_fault,
        response_counts, track_download,
    },
    store::{
        BINARY_BYTES_IN, BINARY_BYTES_OUT, PoolStats, REDIS_CONNECTIONS, REDIS_DISCONNECTS,
        StoreMetrics, register_pool,
    },
};
use crate::{
    memory_budget::MemoryBudgets,
    model::readiness::{READY, Reason, Status},
    settings::VERSION,
};

mod deployment;
mod encode;
mod memory;
mod primitives;
mod process;
mod redis_checks;
mod requests;
mod store;

/// The content type of the result of [`encode()`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Encodes all metrics. The caller provides the readiness and the memory budgets of the replica.
#[must_use]
pub fn encode(readiness: &Status, memory: &MemoryBudgets) -> String {
    let mut text = TextEncoder::default();
    let help = "Readiness as in /readyz: reason=\"ready\" is 1 while the replica is ready; each other \
                reason is 1 while it applies.";
    let mut family = text.gauge("ready", help);
    family.sample(&[("reason", READY)], u8::from(readiness.is_ready()));
    for reason in Reason::ALL {
        let applies = u8::from(readiness.has(*reason));
        family.sample(&[("reason", reason.name())], applies);
    }
    let version = [("version", VERSION)];
    text.gauge("build_info", "Always 1, with the version as a label.")
        .sample(&version, 1);
    requests::write(&mut text);
    store::write(&mut text);
    memory::write(&mut text, memory);
    process::write(&mut text);
    redis_checks::write(&mut text);
    deployment::write(&mut text);
    text.into_string()
}
