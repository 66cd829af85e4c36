//! Metrics of chats.

use std::time::Duration;

use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::handles::GaugeGuard;

/// The upper bounds of the buckets of the time to the first answer, in seconds.
const ANSWER_BUCKETS: [f64; 12] = [
    1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
];

/// Counts an event stream of an agent until it is dropped.
pub type StreamGuard = GaugeGuard<Gauge>;

/// Chats.
#[derive(Debug, Clone)]
pub struct ChatMetrics {
    first_answers: Histogram,
    agent_streams: Gauge,
}

impl Default for ChatMetrics {
    fn default() -> Self {
        Self {
            first_answers: Histogram::new(ANSWER_BUCKETS),
            agent_streams: Gauge::default(),
        }
    }
}

impl ChatMetrics {
    /// Records the time from the start of a chat to the first message of an agent.
    pub fn answered(&self, after: Duration) {
        self.first_answers.observe(after.as_secs_f64());
    }

    /// Counts an event stream of an agent as open until the guard is dropped.
    pub fn agent_stream_opened(&self) -> StreamGuard {
        GaugeGuard::new(self.agent_streams.clone())
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let (help, answers) = (
            "Time from the start of a chat to the first message of an agent",
            self.first_answers.clone(),
        );
        registry.register("chat_first_answer_seconds", help, answers);
        let (help, streams) = ("Open event streams of agents", self.agent_streams.clone());
        registry.register("agent_event_streams", help, streams);
    }
}
