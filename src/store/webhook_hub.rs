//! What the stores of one process share about webhooks: limits, signals, and the outboxes to be relayed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as BlockingMutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{
    Mutex,
    mpsc::{self, Receiver, Sender},
};
use tracing::{debug, warn};

use crate::{
    model::{
        ServiceId, StoreError,
        webhook::{WebhookEndpoint, WebhookLimits},
    },
    telemetry::metrics::WebhookMetrics,
};

/// The maximum number of queued signals. Deliverers poll, so those that are dropped cost a second.
const MAX_QUEUED_SIGNALS: usize = 1_000;
/// The maximum number of queued outboxes. The sweep of the cleanup leader finds those that are dropped.
const MAX_QUEUED_OUTBOXES: usize = 10_000;

/// The interval at which the use of an endpoint is recorded.
const USE_INTERVAL: Duration = Duration::from_secs(3_600);

/// The interval of warnings of failed relays.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The time for which nothing is relayed to an endpoint after a failure.
const BACK_OFF: Duration = Duration::from_secs(2);

/// The owner of events that are to be moved to the queues of their endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::store) enum Outbox {
    /// A service.
    Service(ServiceId),
    /// The resource group with this name.
    Group(String),
}

/// The hub of a process. Clones are the same hub. Without one of its own, each store uses a hub that no other one has.
#[derive(Clone)]
pub struct WebhookHub(Arc<Channels>);

struct Channels {
    limits: WebhookLimits,
    /// Events that were dropped from full outboxes.
    dropped_events: Counter,
    signals: Queue<WebhookEndpoint>,
    outboxes: Queue<Outbox>,
    /// When the use of each endpoint was last recorded.
    used: BlockingMutex<HashMap<WebhookEndpoint, Instant>>,
    /// When a relay to an endpoint last failed.
    failed_at: BlockingMutex<HashMap<WebhookEndpoint, Instant>>,
    /// When a failed relay was last logged as a warning.
    warned_at: BlockingMutex<Option<Instant>>,
}

/// A bounded queue with one receiver.
struct Queue<T> {
    sender: Sender<T>,
    receiver: Mutex<Receiver<T>>,
}

impl<T> Queue<T> {
    fn new(size: usize) -> Self {
        let (sender, receiver) = mpsc::channel(size);
        let receiver = Mutex::new(receiver);
        Self { sender, receiver }
    }
}

impl Default for WebhookHub {
    fn default() -> Self {
        Self::new(WebhookLimits::default(), &WebhookMetrics::default())
    }
}

impl WebhookHub {
    /// Creates a hub for stores with these limits. Dropped events are counted in `metrics`.
    #[must_use]
    pub fn new(limits: WebhookLimits, metrics: &WebhookMetrics) -> Self {
        Self(Arc::new(Channels {
            limits,
            dropped_events: metrics.dropped_events.clone(),
            signals: Queue::new(MAX_QUEUED_SIGNALS),
            outboxes: Queue::new(MAX_QUEUED_OUTBOXES),
            used: BlockingMutex::default(),
            failed_at: BlockingMutex::default(),
            warned_at: BlockingMutex::default(),
        }))
    }

    pub(in crate::store) fn limits(&self) -> WebhookLimits {
        self.0.limits
    }

    /// Counts events that were dropped from a full outbox.
    pub(in crate::store) fn add_dropped_events(&self, count: u64) {
        self.0.dropped_events.inc_by(count);
        warn!(events = count, "oldest events of a full outbox dropped");
    }

    /// Signals that events of `endpoint` are due.
    pub(in crate::store) fn signal(&self, endpoint: &WebhookEndpoint) {
        drop(self.0.signals.sender.try_send(endpoint.clone()));
    }

    pub(in crate::store) async fn next_signal(&self) -> WebhookEndpoint {
        let mut receiver = self.0.signals.receiver.lock().await;
        match receiver.recv().await {
            Some(endpoint) => endpoint,
            // The sender lives as long as the receiver.
            None => std::future::pending().await,
        }
    }

    /// Whether to record that `endpoint` is in use: once per interval.
    pub(in crate::store) fn starts_use_interval(&self, endpoint: &WebhookEndpoint) -> bool {
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = used.get(endpoint);
        if last.is_some_and(|last| now.duration_since(*last) < USE_INTERVAL) {
            return false;
        }
        used.insert(endpoint.clone(), now);
        true
    }

    /// Repeats the record of the use of `endpoint`, which has failed, at the next use.
    pub(in crate::store) fn restart_use_interval(&self, endpoint: &WebhookEndpoint) {
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.remove(endpoint);
    }

    /// Whether a relay to `endpoint` has just failed, so that outboxes do not wait for its timeout one after the other.
    pub(in crate::store) fn backs_off(&self, endpoint: &WebhookEndpoint) -> bool {
        let failed_at = self.0.failed_at.lock();
        let failed_at = failed_at.unwrap_or_else(PoisonError::into_inner);
        let last = failed_at.get(endpoint);
        last.is_some_and(|last| last.elapsed() < BACK_OFF)
    }

    /// Records the result of a relay to `endpoint`.
    pub(in crate::store) fn set_failing(&self, endpoint: WebhookEndpoint, is_failing: bool) {
        let failed_at = self.0.failed_at.lock();
        let mut failed_at = failed_at.unwrap_or_else(PoisonError::into_inner);
        if is_failing {
            failed_at.insert(endpoint, Instant::now());
        } else {
            failed_at.remove(&endpoint);
        }
    }

    /// Logs that events were not relayed, as a warning at most once per interval.
    pub(in crate::store) fn warn_of_failed_relay(&self, error: &StoreError) {
        let warned_at = self.0.warned_at.lock();
        let mut warned_at = warned_at.unwrap_or_else(PoisonError::into_inner);
        if warned_at.is_some_and(|at| at.elapsed() < WARNING_INTERVAL) {
            debug!(%error, "webhook events not relayed, retrying");
            return;
        }
        *warned_at = Some(Instant::now());
        warn!(%error, "webhook events not relayed, retrying");
    }

    /// Queues the relay of an outbox.
    pub(in crate::store) fn relay(&self, outbox: Outbox) {
        drop(self.0.outboxes.sender.try_send(outbox));
    }

    /// Waits for outboxes to be relayed, and returns at most `limit`.
    pub(in crate::store) async fn next_outboxes(&self, limit: usize) -> Vec<Outbox> {
        let mut outboxes = Vec::new();
        let mut receiver = self.0.outboxes.receiver.lock().await;
        receiver.recv_many(&mut outboxes, limit).await;
        outboxes
    }
}
