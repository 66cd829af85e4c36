//! The log lines of an endpoint about failed deliveries, at most one a minute.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::model::webhook::WebhookEndpoint;

/// The minimum time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// What was logged, and what happened since then.
#[derive(Default)]
pub(super) struct DeliveryLog {
    last_line: Option<Instant>,
    /// Whether the last line was about failures.
    is_failing: bool,
    /// The number of failures since the last line, and the last one of them.
    failures: u64,
    last_error: String,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Failed,
    Recovered,
}

impl DeliveryLog {
    pub(super) fn note_failure(&mut self, endpoint: &WebhookEndpoint, error: &str) {
        self.failures += 1;
        error.clone_into(&mut self.last_error);
        self.log_line(endpoint, Instant::now());
    }

    pub(super) fn note_success(&mut self, endpoint: &WebhookEndpoint) {
        if self.is_failing {
            self.log_line(endpoint, Instant::now());
        }
    }

    fn log_line(&mut self, endpoint: &WebhookEndpoint, now: Instant) {
        let (failures, error) = (self.failures, &self.last_error);
        match self.due_line(now) {
            Some(Line::Failed) => warn!(%endpoint, failures, error, "webhook deliveries failed"),
            Some(Line::Recovered) => info!(%endpoint, "webhook deliveries recovered"),
            None => return,
        }
        self.is_failing = failures > 0;
        self.failures = 0;
        self.last_line = Some(now);
    }

    /// The line that is due. Deliveries have recovered if none has failed since the last line.
    fn due_line(&self, now: Instant) -> Option<Line> {
        let is_soon = |last: Instant| now < last + LINE_INTERVAL;
        if self.last_line.is_some_and(is_soon) {
            return None;
        }
        Some(if self.failures > 0 {
            Line::Failed
        } else {
            Line::Recovered
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_logged_once_a_minute_with_their_number() {
        let (mut log, endpoint) = (
            DeliveryLog::default(),
            WebhookEndpoint::of_definition("shop"),
        );
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        log.failures = 1;
        assert_eq!(log.due_line(start), Some(Line::Failed));
        log.log_line(&endpoint, start);
        assert!(log.is_failing);
        log.failures = 7;
        assert_eq!(log.due_line(after(59)), None);
        log.log_line(&endpoint, after(59));
        assert_eq!(log.failures, 7);
        assert_eq!(log.due_line(after(60)), Some(Line::Failed));
        log.log_line(&endpoint, after(60));
        assert_eq!((log.failures, log.is_failing), (0, true));
        assert_eq!(log.due_line(after(119)), None);
        assert_eq!(log.due_line(after(120)), Some(Line::Recovered));
        log.log_line(&endpoint, after(120));
        assert!(!log.is_failing);
    }
}
