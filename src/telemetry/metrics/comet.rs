//! Metrics of push by `CometD`.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::handles::{GaugeGuard, LabeledCounters, duration_histogram};

/// The transport of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CometTransport {
    /// Requests over HTTP.
    LongPolling,
    /// A WebSocket.
    WebSocket,
}

const TRANSPORTS: [&str; 2] = ["long-polling", "websocket"];

/// Push by `CometD`. Clones share the values.
#[derive(Debug, Clone)]
pub struct CometMetrics {
    handshakes: Counter,
    waiting: Gauge,
    websockets: Gauge,
    pushes: LabeledCounters,
    by_transport: [Counter; TRANSPORTS.len()],
    delay: Histogram,
}

impl Default for CometMetrics {
    fn default() -> Self {
        let pushes = LabeledCounters::default();
        Self {
            handshakes: Counter::default(),
            waiting: Gauge::default(),
            websockets: Gauge::default(),
            by_transport: TRANSPORTS.map(|name| pushes.get_or_create_owned(&[("transport", name)])),
            pushes,
            delay: duration_histogram(),
        }
    }
}

impl CometMetrics {
    /// Counts a session.
    pub fn count_handshake(&self) {
        self.handshakes.inc();
    }

    /// Counts a connect as waiting until the result is dropped. `None` if `max` of them wait.
    #[must_use]
    pub fn track_waiting(&self, max: usize) -> Option<GaugeGuard<Gauge>> {
        track(&self.waiting, max)
    }

    /// Counts a WebSocket until the result is dropped. `None` if there are `max` of them.
    #[must_use]
    pub fn track_websocket(&self, max: usize) -> Option<GaugeGuard<Gauge>> {
        track(&self.websockets, max)
    }

    /// Counts pushed messages.
    pub fn count_pushes(&self, transport: CometTransport, messages: usize) {
        if let Some(counter) = self.by_transport.get(transport as usize) {
            counter.inc_by(messages as u64);
        }
    }

    /// Records the time from an event to its push to a waiting connect.
    pub fn record_delay(&self, delay: Duration) {
        self.delay.observe(delay.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Sessions of CometD that were opened";
        registry.register("comet_handshakes", help, self.handshakes.clone());
        let help = "Connects of CometD that wait for an event";
        registry.register("comet_connects_waiting", help, self.waiting.clone());
        let help = "Open WebSockets of CometD";
        registry.register("comet_websockets", help, self.websockets.clone());
        let help = "Messages pushed by CometD, by transport";
        registry.register("comet_pushes", help, self.pushes.clone());
        let help =
            "Seconds from the last event of a chat to its push to a waiting connect of CometD";
        registry.register("comet_push_delay_seconds", help, self.delay.clone());
    }
}

fn track(gauge: &Gauge, max: usize) -> Option<GaugeGuard<Gauge>> {
    let guard = GaugeGuard::new(gauge.clone());
    usize::try_from(gauge.get())
        .is_ok_and(|count| count <= max)
        .then_some(guard)
}
