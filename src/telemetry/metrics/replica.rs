//! Metrics that are read from the state of the replica at each scrape.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    super::log,
    scrape::{NO_LABELS, counter, counters, gauge, gauges},
};
use crate::{
    memory_budget::MemoryBudgets,
    model::{
        cleanup_status::CleanupStatus,
        readiness::{READY, Readiness, Reason},
    },
    settings::VERSION,
};

/// The state that is read at each scrape.
pub struct Sources {
    /// The readiness. Its last assessment is exported.
    pub readiness: Readiness,
    /// The memory budgets.
    pub memory: MemoryBudgets,
    /// The state of the cleanup.
    pub cleanup: CleanupStatus,
    /// Seconds by which the clock of this machine is ahead of the clock of Redis; `None` if unknown.
    pub clock_skew: Box<dyn Fn() -> Option<f64> + Send + Sync>,
    /// The number of catalog entries that the store has lost and this replica can restore.
    pub catalog_entries_lost: Box<dyn Fn() -> usize + Send + Sync>,
    /// The state of all webhooks; empty except on the cleanup leader.
    pub webhooks: Box<dyn Fn() -> Vec<EndpointGauges> + Send + Sync>,
}

/// The state of a webhook.
#[derive(Debug, Clone)]
pub struct EndpointGauges {
    /// The table and name of its catalog entry.
    pub endpoint: String,
    /// The number of undelivered events.
    pub pending: u64,
    /// The number of dead letters.
    pub dead_letters: u64,
    /// The age of the oldest undelivered event.
    pub lag: Duration,
    /// Whether it is stopped.
    pub is_stopped: bool,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// The outcome of the export of spans.
#[derive(Debug, Clone, Copy)]
pub enum SpanOutcome {
    /// The collector accepted them.
    Exported,
    /// The export failed.
    Failed,
    /// The queue was full.
    Dropped,
}

const SPAN_OUTCOMES: [&str; 3] = ["exported", "failed", "dropped"];

/// The spans of this process, by outcome.
static SPANS: [AtomicU64; SPAN_OUTCOMES.len()] = [const { AtomicU64::new(0) }; SPAN_OUTCOMES.len()];

impl SpanOutcome {
    /// Counts `spans` with this outcome.
    pub fn count(self, spans: usize) {
        if let Some(counter) = SPANS.get(self as usize) {
            counter.fetch_add(spans as u64, Relaxed);
        }
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        encode_readiness(encoder, &self.readiness)?;
        encode_memory(encoder, &self.memory)?;
        encode_cleanup(encoder, &self.cleanup)?;
        encode_deployment(encoder, &self.cleanup)?;
        encode_webhooks(encoder, &(self.webhooks)())?;
        let help = "Always 1, with the version as a label.";
        gauges(encoder, "build_info", help, [([("version", VERSION)], 1)])?;
        let help = "Seconds by which the clock of this replica is ahead of the clock of Redis.";
        let skew = (self.clock_skew)().map(|skew| (NO_LABELS, skew));
        gauges(encoder, "clock_skew_seconds", help, skew)?;
        let help = "Catalog entries that the store has lost and this replica can restore.";
        let lost = (self.catalog_entries_lost)();
        gauge(encoder, "catalog_entries_lost", help, lost)?;
        let help = "Log lines dropped because the buffer was full.";
        counter(encoder, "log_lines_dropped", help, log::dropped_lines())?;
        let spans = SPAN_OUTCOMES.iter().zip(&SPANS);
        let spans = spans.map(|(outcome, count)| ([("outcome", *outcome)], count.load(Relaxed)));
        let help = "Spans of traced requests, by the outcome of their export.";
        counters(encoder, "trace_spans", help, spans)
    }
}

fn encode_readiness(encoder: &mut DescriptorEncoder<'_>, readiness: &Readiness) -> fmt::Result {
    let status = readiness.last().unwrap_or_default();
    let reasons = Reason::ALL.iter();
    let reasons = reasons.map(|reason| (reason.name(), status.has(*reason)));
    let all = [(READY, status.is_ready())].into_iter().chain(reasons);
    let all = all.map(|(reason, applies)| ([("reason", reason)], u32::from(applies)));
    let help = "Readiness as in /readyz: reason=\"ready\" is 1 while the replica is ready; each other \
                reason is 1 while it applies.";
    gauges(encoder, "ready", help, all)
}

fn encode_memory(encoder: &mut DescriptorEncoder<'_>, memory: &MemoryBudgets) -> fmt::Result {
    let MemoryBudgets {
        requests,
        responses,
    } = memory;
    let help = "Bytes that bodies of requests have reserved of limits.request_memory_bytes.";
    gauge(encoder, "request_memory_bytes", help, requests.used())?;
    let help = "The value of limits.request_memory_bytes.";
    let limit = requests.limit();
    gauge(encoder, "request_memory_limit_bytes", help, limit)?;
    let help = "Bytes that bodies of responses have reserved of limits.response_memory_bytes.";
    gauge(encoder, "response_memory_bytes", help, responses.used())?;
    let help = "The value of limits.response_memory_bytes.";
    let limit = responses.limit();
    gauge(encoder, "response_memory_limit_bytes", help, limit)?;
    let budgets = [("request", requests), ("response", responses)];
    let refusals = budgets.map(|(name, budget)| ([("budget", name)], budget.refusals()));
    let help = "Requests rejected with 503 Overloaded because a budget was exhausted, by budget.";
    counters(encoder, "memory_refusals", help, refusals)
}

fn encode_cleanup(encoder: &mut DescriptorEncoder<'_>, cleanup: &CleanupStatus) -> fmt::Result {
    let help = "1 on the cleanup leader, 0 on other replicas.";
    let is_leader = u32::from(cleanup.is_leader());
    gauge(encoder, "cleanup_leader", help, is_leader)?;
    let (help, released) = (
        "Ended services that were cleaned up.",
        cleanup.released_services(),
    );
    counter(encoder, "cleanup_services", help, released)?;
    let help = "Cleanup steps that failed because of a store error.";
    counter(encoder, "cleanup_errors", help, cleanup.errors())?;
    let help = "1 if keyspace notifications arrive from all Redis servers that should send them, 0 if only the \
                sweep finds ended services.";
    let enabled = u32::from(cleanup.notifications_enabled());
    gauge(encoder, "keyspace_notifications_enabled", help, enabled)
}

fn encode_webhooks(encoder: &mut DescriptorEncoder<'_>, all: &[EndpointGauges]) -> fmt::Result {
    let label = |endpoint: &EndpointGauges| [("endpoint", endpoint.endpoint.clone())];
    let help = "Undelivered events, by webhook. Exported by the cleanup leader only.";
    let pending = all
        .iter()
        .map(|endpoint| (label(endpoint), endpoint.pending));
    gauges(encoder, "webhook_pending_events", help, pending)?;
    let help = "Dead letters, by webhook. Exported by the cleanup leader only.";
    let dead = all
        .iter()
        .map(|endpoint| (label(endpoint), endpoint.dead_letters));
    gauges(encoder, "webhook_dead_letters", help, dead)?;
    let help = "Age of the oldest undelivered event in seconds, by webhook. Exported by the cleanup leader only.";
    let lag = all
        .iter()
        .map(|endpoint| (label(endpoint), endpoint.lag.as_secs_f64()));
    gauges(encoder, "webhook_lag_seconds", help, lag)?;
    let help =
        "1 for a webhook that its response 410 has stopped. Exported by the cleanup leader only.";
    let stopped = all
        .iter()
        .map(|endpoint| (label(endpoint), u32::from(endpoint.is_stopped)));
    gauges(encoder, "webhook_stopped", help, stopped)
}

/// Metrics about all replicas, which the cleanup leader exports.
fn encode_deployment(encoder: &mut DescriptorEncoder<'_>, cleanup: &CleanupStatus) -> fmt::Result {
    let stats = cleanup.deployment();
    let help = "Active services. Exported by the cleanup leader only.";
    let active = stats.active_services.map(|services| (NO_LABELS, services));
    gauges(encoder, "services_active", help, active)?;
    let help = "Seconds since the end of the oldest service that awaits cleanup. Exported by the cleanup \
                leader only.";
    let lag = stats.cleanup_lag.map(|lag| (NO_LABELS, lag.as_secs_f64()));
    gauges(encoder, "cleanup_lag_seconds", help, lag)?;
    let chats = stats.chats.iter().flat_map(|(definition, counts)| {
        let by_state = [("waiting", counts.waiting), ("active", counts.active)];
        by_state.map(|(state, chats)| {
            (
                [("definition", definition.as_str()), ("state", state)],
                chats,
            )
        })
    });
    let help = "Open chats, by configured service and state. Exported by the cleanup leader only.";
    gauges(encoder, "chats_open", help, chats)?;
    let help = "Agents that take chats. Exported by the cleanup leader only.";
    let agents = stats.available_agents.map(|agents| (NO_LABELS, agents));
    gauges(encoder, "agents_available", help, agents)?;
    let groups = stats.groups.iter();
    let booked = groups.map(|group| ([("group", group.name.as_str())], group.booked));
    let help = "Booked access numbers, by resource group. Exported by the cleanup leader only.";
    gauges(encoder, "access_numbers_booked", help, booked)?;
    let groups = stats.groups.iter();
    let free = groups.filter_map(|group| Some(([("group", group.name.as_str())], group.free?)));
    let help =
        "Free access numbers, by exclusive resource group. Exported by the cleanup leader only.";
    gauges(encoder, "access_numbers_free", help, free)?;
    let groups = stats.groups.iter();
    let quarantined = groups.map(|group| ([("group", group.name.as_str())], group.quarantined));
    let help =
        "Quarantined access numbers, by resource group. Exported by the cleanup leader only.";
    gauges(encoder, "access_numbers_quarantined", help, quarantined)
}
