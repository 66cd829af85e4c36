//! The task of one endpoint: claims queues, delivers several of them at the same time, and records the results in
//! batches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use self::{
    delivery_log::DeliveryLog,
    progress::{Finished, Progress, Step},
};
use super::{
    WebhookConfig,
    queue_delivery::{DeliveryContext, LeasedQueue},
};
use crate::{
    model::{
        StoreError,
        webhook::{NextAttempt, QueueResult, WebhookEndpoint},
    },
    store::AdminStore,
};

mod delivery_log;
mod progress;
#[cfg(test)]
mod tests;

/// How long a claim lasts. After a crash another replica delivers the events when it ends.
const LEASE: Duration = Duration::from_secs(30);

/// What the owner of a task changes.
pub(super) struct EndpointControl {
    pub(super) config: ArcSwap<WebhookConfig>,
    wake: Notify,
    is_stopping: AtomicBool,
    /// Whether a response 410 has stopped the endpoint.
    is_endpoint_stopped: AtomicBool,
}

impl EndpointControl {
    pub(super) fn new(config: Arc<WebhookConfig>) -> Self {
        Self {
            config: ArcSwap::new(config),
            wake: Notify::new(),
            is_stopping: AtomicBool::new(false),
            is_endpoint_stopped: AtomicBool::new(false),
        }
    }

    /// Lets the task claim events.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Lets the task end after the requests in flight.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether further events of claimed queues are sent.
    fn may_send(&self) -> bool {
        !self.is_stopping() && !self.is_endpoint_stopped.load(Ordering::Relaxed)
    }
}

/// The task of an endpoint.
pub(super) struct EndpointTask {
    pub(super) endpoint: WebhookEndpoint,
    pub(super) control: Arc<EndpointControl>,
    pub(super) context: Arc<DeliveryContext>,
    pub(super) store: Arc<dyn AdminStore>,
    /// The maximum number of queues whose events are sent at the same time.
    pub(super) concurrency: usize,
}

impl EndpointTask {
    /// Runs until the task is stopped and everything that was claimed is recorded.
    pub(super) async fn run(&self) {
        let (mut progress, mut log) = (Progress::new(), DeliveryLog::default());
        loop {
            self.start_steps(&mut progress);
            if self.control.is_stopping() && progress.is_complete() {
                return;
            }
            tokio::select! {
                Some(step) = progress.steps.next() => self.complete_step(step, &mut progress, &mut log),
                () = self.control.wake.notified() => progress.may_be_due = true,
                () = sleep_until(progress.record_at), if progress.has_results() => {}
            }
        }
    }

    fn start_steps<'a>(&'a self, progress: &mut Progress<'a>) {
        if self.control.is_stopping() {
            progress.may_be_due = false;
            progress.release_ready();
        }
        while progress.delivering < self.concurrency
            && let Some(queue) = progress.ready.pop_front()
        {
            progress.delivering += 1;
            progress.steps.push(self.deliver(queue).boxed());
        }
        let free = self.concurrency.saturating_sub(progress.ready.len());
        if progress.can_claim() && free > self.concurrency / 2 {
            (progress.may_be_due, progress.is_claiming) = (false, true);
            progress.steps.push(self.claim(free).boxed());
        }
        if let Some(batch) = progress.start_recording() {
            progress.steps.push(self.record(batch).boxed());
        }
    }

    fn complete_step(&self, step: Step, progress: &mut Progress<'_>, log: &mut DeliveryLog) {
        match step {
            Step::Claimed(result) => {
                let failing = &mut progress.is_claim_failing;
                self.note_store_result("claim", result.as_ref().err(), failing);
                self.add_claimed(result.unwrap_or_default(), progress);
            }
            Step::Delivered(finished) => {
                progress.delivering -= 1;
                self.note_delivery(&finished.0, progress, log);
                progress.add_result(finished);
            }
            Step::Recorded(batch, result) => {
                let failing = &mut progress.is_record_failing;
                self.note_store_result("record", result.as_ref().err(), failing);
                progress.end_recording(if result.is_ok() { Vec::new() } else { batch });
            }
        }
    }

    fn add_claimed(&self, queues: Vec<LeasedQueue>, progress: &mut Progress<'_>) {
        progress.is_claiming = false;
        if std::mem::take(&mut progress.is_claim_stale) {
            progress.release(queues);
            return;
        }
        if queues.is_empty() {
            return;
        }
        // The store returns queues: an operator has resumed the endpoint if it was stopped.
        let stopped = &self.control.is_endpoint_stopped;
        stopped.store(false, Ordering::Relaxed);
        // If these are not all of them, the others are claimed when there is room.
        progress.may_be_due = true;
        progress.ready.extend(queues);
    }

    async fn claim(&self, max_queues: usize) -> Step {
        let until = Instant::now() + LEASE;
        let claimed = self
            .store
            .claim_deliveries(&self.endpoint, max_queues, LEASE);
        let leased = |queue| LeasedQueue { queue, until };
        let claimed = claimed.await;
        Step::Claimed(claimed.map(|queues| queues.into_iter().map(leased).collect()))
    }

    async fn deliver(&self, leased: LeasedQueue) -> Step {
        let (until, control) = (leased.until, &self.control);
        let may_continue = || control.may_send();
        let delivery =
            self.context
                .deliver_queue(&*self.store, &control.config, leased, may_continue);
        Step::Delivered((delivery.await, until))
    }

    async fn record(&self, batch: Vec<Finished>) -> Step {
        let results = batch.iter().map(|(result, _)| result.clone()).collect();
        let recorded = self.store.finish_deliveries(&self.endpoint, results).await;
        Step::Recorded(batch, recorded)
    }

    /// Logs the first error of a series and its end. `was_failing` is the state of this operation.
    fn note_store_result(
        &self,
        operation: &str,
        error: Option<&StoreError>,
        was_failing: &mut bool,
    ) {
        let endpoint = &self.endpoint;
        match (error, *was_failing) {
            (Some(error), false) => {
                warn!(%endpoint, operation, %error, "webhook queue not available");
            }
            (Some(error), true) => {
                debug!(%endpoint, operation, %error, "webhook queue still not available");
            }
            (None, true) => info!(%endpoint, operation, "webhook queue available again"),
            (None, false) => {}
        }
        *was_failing = error.is_some();
    }

    /// Logs failures and their end. If the endpoint is stopped, all queues are released.
    fn note_delivery(
        &self,
        result: &QueueResult,
        progress: &mut Progress<'_>,
        log: &mut DeliveryLog,
    ) {
        match &result.failure {
            Some(failure) if failure.next == NextAttempt::StopEndpoint => {
                self.stop_endpoint(progress);
            }
            Some(failure) => log.note_failure(&self.endpoint, &failure.error),
            None if !result.delivered.is_empty() => log.note_success(&self.endpoint),
            None => {}
        }
    }

    fn stop_endpoint(&self, progress: &mut Progress<'_>) {
        let stopped = &self.control.is_endpoint_stopped;
        if !stopped.swap(true, Ordering::Relaxed) {
            warn!(endpoint = %self.endpoint, "webhook stopped by its response 410");
        }
        progress.is_claim_stale = progress.is_claiming;
        progress.release_ready();
    }
}
