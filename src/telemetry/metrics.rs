//! What is counted, and how it is told: the text of `GET /metrics`.
//!
//! This is the one part of the program that all layers may name; it names none of them. Counts belong to
//! the process, as the log does. All labels come from sets that are fixed when the program is built, but
//! for the names of resource groups, which the catalogue has. That is why this is no metrics library:
//! where a label is a place in an array, a request is counted by a few additions, with nothing hashed,
//! looked up or locked, and the format is a page of code.

use self::encode::TextEncoder;
pub use self::{
    cluster::{ClusterMetrics, cluster_metrics, set_cluster_metrics},
    primitives::{Counter, Gauge, GaugeGuard},
    process::{
        BackendOutcome, CLEANUP_FAILURES, CLEANUP_LEADER, CLEANUP_SERVICES,
        KEYSPACE_LISTENERS_EXPECTED, KEYSPACE_LISTENERS_SUBSCRIBED, SpanOutcome,
        catalog_entries_lost, is_cleanup_leader, keyspace_notifications_enabled,
        set_catalog_entries_lost, set_clock_skew,
    },
    redis_checks::{record_redis_check, retain_redis_servers},
    requests::{
        CLIENT_CLOSED_REQUEST, MethodLabel, RouteMetrics, count_refused_request, is_service_fault,
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

mod cluster;
mod encode;
mod memory;
mod primitives;
mod process;
mod redis_checks;
mod requests;
mod store;

/// The content type of [`text()`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, with the readiness and the memory budgets of the replica.
#[must_use]
pub fn encode(readiness: &Status, memory: &MemoryBudgets) -> String {
    let mut text = TextEncoder::default();
    let help = "Readiness, as /readyz has it: reason=\"ready\" is 1 while requests are welcome, each \
                other reason is 1 while it applies.";
    let mut family = text.gauge("ready", help);
    family.sample(&[("reason", READY)], u8::from(readiness.is_ready()));
    for reason in Reason::ALL {
        let applies = u8::from(readiness.has(*reason));
        family.sample(&[("reason", reason.name())], applies);
    }
    let version = [("version", VERSION)];
    text.gauge("build_info", "Always 1; tells the version.")
        .sample(&version, 1);
    requests::write(&mut text);
    store::write(&mut text);
    memory::write(&mut text, memory);
    process::write(&mut text);
    redis_checks::write(&mut text);
    cluster::write(&mut text);
    text.into_string()
}
