//! Delivers the claimed events of one queue, in order.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{
    WebhookConfig,
    client::{DeliveryError, REQUEST_TIMEOUT, SignedBody, WebhookClient},
    payload, schedule,
};
use crate::{
    model::{
        StoreError,
        webhook::{ClaimedQueue, DeliveryFailure, Event, NextAttempt, QueueResult},
    },
    store::Clock,
    telemetry::metrics::{DeliveryResult, WebhookMetrics},
};

/// The time of a lease that is left to record the result of a request that timed out.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// The error of a record that a newer version has made, or that is damaged. Another replica may read it.
const UNREADABLE: &str = "not sent: the event is not readable by this version";

/// What the deliveries of all webhooks share.
pub(super) struct DeliveryContext {
    pub(super) client: WebhookClient,
    pub(super) metrics: WebhookMetrics,
}

/// A claimed queue and the end of its lease.
pub(super) struct LeasedQueue {
    pub(super) queue: ClaimedQueue,
    pub(super) until: Instant,
}

impl LeasedQueue {
    /// Whether a request that starts at `now` ends, and its result is recorded, before the lease ends.
    fn allows_request(&self, now: Instant) -> bool {
        now + REQUEST_TIMEOUT + LEASE_MARGIN < self.until
    }

    /// The result if no event was attempted.
    pub(super) fn release(self) -> QueueResult {
        QueueResult {
            queue: self.queue.queue,
            claim: self.queue.claim,
            delivered: Vec::new(),
            failure: None,
        }
    }
}

impl DeliveryContext {
    /// Sends the events of a queue one after the other, until one fails, `may_continue` is false or the lease ends.
    pub(super) async fn deliver_queue(
        &self,
        clock: &dyn Clock,
        config: &ArcSwap<WebhookConfig>,
        leased: LeasedQueue,
        may_continue: impl Fn() -> bool,
    ) -> QueueResult {
        let (mut delivered, mut failure) = (Vec::new(), None);
        let mut failed_attempts = leased.queue.failed_attempts;
        for event in &leased.queue.events {
            if !may_continue() || !leased.allows_request(Instant::now()) {
                break;
            }
            match self.deliver(clock, &config.load_full(), event).await {
                Ok(()) => delivered.push(event.id.clone()),
                Err(error) => {
                    failure = Some(DeliveryFailure {
                        next: next_attempt(error.result, failed_attempts),
                        error: error.text,
                    });
                    break;
                }
            }
            failed_attempts = 0;
        }
        if leased.queue.is_next_unreadable
            && failure.is_none()
            && delivered.len() == leased.queue.events.len()
        {
            failure = Some(DeliveryFailure {
                next: schedule::after_failure(failed_attempts),
                error: UNREADABLE.to_owned(),
            });
        }
        QueueResult {
            delivered,
            failure,
            ..leased.release()
        }
    }

    async fn deliver(
        &self,
        clock: &dyn Clock,
        config: &Arc<WebhookConfig>,
        event: &Event,
    ) -> Result<(), DeliveryError> {
        let started = Instant::now();
        let result = self.send(clock, config, event).await;
        let outcome = result
            .as_ref()
            .map_or_else(|error| error.result, |()| DeliveryResult::Success);
        self.metrics.record(outcome, started.elapsed());
        result
    }

    async fn send(
        &self,
        clock: &dyn Clock,
        config: &WebhookConfig,
        event: &Event,
    ) -> Result<(), DeliveryError> {
        let not_sent = |error: &dyn ToString| DeliveryError {
            result: DeliveryResult::ConnectionError,
            text: format!("not sent: {}", error.to_string()),
        };
        let now = clock.now().map_err(|error: StoreError| not_sent(&error))?;
        let timestamp = now.millis().div_euclid(1_000);
        let body = payload::compose(event).map_err(|error| not_sent(&error))?;
        let id = event.id.as_str();
        let signature = config.signer.sign(id, timestamp, &body);
        let signed = SignedBody {
            id,
            timestamp,
            signature: &signature.map_err(|error| not_sent(&error))?,
            body,
        };
        self.client.send(&config.url, signed).await
    }
}

fn next_attempt(result: DeliveryResult, failed_attempts: u32) -> NextAttempt {
    if result == DeliveryResult::Gone {
        return NextAttempt::StopEndpoint;
    }
    schedule::after_failure(failed_attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Timestamp, webhook::DeliveryClaim},
        service::webhooks::config::test_webhook,
        settings::Settings,
        store::memory::MemoryStore,
    };

    fn leased(is_next_unreadable: bool) -> LeasedQueue {
        LeasedQueue {
            queue: ClaimedQueue {
                queue: "a".to_owned(),
                failed_attempts: 9,
                events: Vec::new(),
                is_next_unreadable,
                claim: DeliveryClaim {
                    until: Timestamp::default(),
                    positions: vec!["a\n1\nevt_1".to_owned()],
                },
            },
            until: Instant::now() + Duration::from_secs(30),
        }
    }

    async fn failure(leased: LeasedQueue) -> Option<DeliveryFailure> {
        let settings = Settings::load(None, [("", ""); 0]).unwrap();
        let context = DeliveryContext {
            client: WebhookClient::new(&settings.webhooks).unwrap(),
            metrics: WebhookMetrics::default(),
        };
        let (clock, config) = (
            MemoryStore::new(1 << 20, 10),
            ArcSwap::from_pointee(test_webhook()),
        );
        let result = context.deliver_queue(&clock, &config, leased, || true);
        result.await.failure
    }

    #[tokio::test]
    async fn an_unreadable_event_fails_and_becomes_a_dead_letter_in_the_end() {
        assert_eq!(failure(leased(false)).await, None);
        let failed = failure(leased(true)).await.unwrap();
        assert_eq!(failed.next, NextAttempt::DeadLetter);
        assert!(failed.error.contains("not readable"), "{}", failed.error);
    }

    #[test]
    fn a_request_leaves_time_to_record_its_result() {
        let leased = leased(false);
        let before_end = |seconds| leased.until - Duration::from_secs(seconds);
        assert!(leased.allows_request(before_end(18)));
        assert!(!leased.allows_request(before_end(17)));
    }
}
