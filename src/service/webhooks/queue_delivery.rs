//! Delivers the claimed events of one queue, in order.

use std::sync::Arc;

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
    /// Whether a request that starts now ends before the lease.
    fn allows_request(&self) -> bool {
        Instant::now() + REQUEST_TIMEOUT < self.until
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
            if !may_continue() || !leased.allows_request() {
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
