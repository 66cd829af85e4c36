//! The task of one endpoint: claims queues, delivers several of them at the same time, and records the results in
//! batches.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

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

/// How long a claim lasts. After a crash another replica delivers the events when it ends.
const LEASE: Duration = Duration::from_secs(30);
/// The number of results that are recorded at once.
const RESULT_BATCH: usize = 64;
/// The time that a result waits for others.
const RESULT_DELAY: Duration = Duration::from_millis(5);
/// The time until results are recorded again after an error of the store.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the owner of a task changes.
pub(super) struct EndpointControl {
    pub(super) config: ArcSwap<WebhookConfig>,
    wake: Notify,
    is_stopping: AtomicBool,
}

impl EndpointControl {
    pub(super) fn new(config: Arc<WebhookConfig>) -> Self {
        Self {
            config: ArcSwap::new(config),
            wake: Notify::new(),
            is_stopping: AtomicBool::new(false),
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

/// A result to record, and the end of its lease.
type Finished = (QueueResult, Instant);

/// A step of the task that is complete.
enum Step {
    Claimed(Result<Vec<LeasedQueue>, StoreError>),
    Delivered(Finished),
    Recorded(Vec<Finished>, Result<(), StoreError>),
}

/// The state of a running task.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
struct Progress<'a> {
    steps: FuturesUnordered<BoxFuture<'a, Step>>,
    /// Whether there may be due queues that are not claimed.
    may_be_due: bool,
    is_claiming: bool,
    /// Claimed queues whose delivery has not started.
    ready: VecDeque<LeasedQueue>,
    /// The number of queues that are delivered.
    delivering: usize,
    results: Vec<Finished>,
    /// When the results are recorded at the latest.
    record_at: Instant,
    is_recording: bool,
    is_store_failing: bool,
    is_endpoint_failing: bool,
}

impl EndpointTask {
    /// Runs until the task is stopped and everything that was claimed is recorded.
    pub(super) async fn run(&self) {
        let mut progress = Progress::new();
        loop {
            self.start_steps(&mut progress);
            if self.control.is_stopping() && progress.is_complete() {
                return;
            }
            tokio::select! {
                Some(step) = progress.steps.next() => self.complete_step(step, &mut progress),
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
        if progress.may_be_due && !progress.is_claiming && free > self.concurrency / 2 {
            (progress.may_be_due, progress.is_claiming) = (false, true);
            progress.steps.push(self.claim(free).boxed());
        }
        if progress.must_record() {
            progress.is_recording = true;
            let batch = std::mem::take(&mut progress.results);
            progress.steps.push(self.record(batch).boxed());
        }
    }

    fn complete_step(&self, step: Step, progress: &mut Progress<'_>) {
        match step {
            Step::Claimed(result) => {
                progress.is_claiming = false;
                self.note_store_result(result.as_ref().err(), progress);
                // If these are not all of them, the others are claimed when there is room.
                let queues = result.unwrap_or_default();
                progress.may_be_due |= !queues.is_empty();
                progress.ready.extend(queues);
            }
            Step::Delivered(finished) => {
                progress.delivering -= 1;
                self.note_delivery(&finished.0, progress);
                progress.add_result(finished);
            }
            Step::Recorded(batch, result) => {
                progress.is_recording = false;
                self.note_store_result(result.as_ref().err(), progress);
                if result.is_ok() {
                    // The queues may have more events.
                    progress.may_be_due = true;
                } else {
                    progress.record_again(batch);
                }
            }
        }
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
        let may_continue = || !control.is_stopping();
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

    /// Logs the first error of a series and its end.
    fn note_store_result(&self, error: Option<&StoreError>, progress: &mut Progress<'_>) {
        let endpoint = &self.endpoint;
        match (error, progress.is_store_failing) {
            (Some(error), false) => warn!(%endpoint, %error, "webhook queue not available"),
            (Some(error), true) => debug!(%endpoint, %error, "webhook queue still not available"),
            (None, true) => info!(%endpoint, "webhook queue available again"),
            (None, false) => {}
        }
        progress.is_store_failing = error.is_some();
    }

    /// Logs the first failure of a series and its end. If the endpoint is stopped, other queues are released.
    fn note_delivery(&self, result: &QueueResult, progress: &mut Progress<'_>) {
        let (endpoint, is_failing) = (&self.endpoint, progress.is_endpoint_failing);
        match &result.failure {
            Some(failure) if failure.next == NextAttempt::StopEndpoint => {
                warn!(%endpoint, "webhook stopped by its response 410");
                progress.release_ready();
            }
            Some(failure) if is_failing => {
                debug!(%endpoint, error = failure.error, "webhook delivery still failing");
            }
            Some(failure) => warn!(%endpoint, error = failure.error, "webhook delivery failed"),
            None if is_failing && !result.delivered.is_empty() => {
                info!(%endpoint, "webhook delivery recovered");
            }
            None => {}
        }
        progress.is_endpoint_failing =
            result.failure.is_some() || (is_failing && result.delivered.is_empty());
    }
}

impl Progress<'_> {
    fn new() -> Self {
        Self {
            steps: FuturesUnordered::new(),
            may_be_due: true,
            is_claiming: false,
            ready: VecDeque::new(),
            delivering: 0,
            results: Vec::new(),
            record_at: Instant::now(),
            is_recording: false,
            is_store_failing: false,
            is_endpoint_failing: false,
        }
    }

    fn is_complete(&self) -> bool {
        self.steps.is_empty() && self.results.is_empty()
    }

    /// Whether there are results that can be recorded.
    fn has_results(&self) -> bool {
        !self.results.is_empty() && !self.is_recording
    }

    /// Whether the results are recorded now: there are enough of them, no more are expected, or they have waited.
    fn must_record(&self) -> bool {
        let is_idle = self.delivering == 0 && self.ready.is_empty();
        let is_full = is_idle || self.results.len() >= RESULT_BATCH;
        let is_time = Instant::now() >= self.record_at;
        self.has_results() && (is_time || (is_full && !self.is_store_failing))
    }

    fn add_result(&mut self, finished: Finished) {
        if self.results.is_empty() && !self.is_store_failing {
            self.record_at = Instant::now() + RESULT_DELAY;
        }
        self.results.push(finished);
    }

    /// Keeps results whose lease has not ended. The events of the others are delivered again.
    fn record_again(&mut self, batch: Vec<Finished>) {
        let now = Instant::now();
        self.record_at = now + RETRY_DELAY;
        let leased = batch.into_iter().filter(|(_, until)| *until > now);
        self.results.extend(leased);
    }

    /// Releases the queues whose delivery has not started, so that they can be claimed again at once.
    fn release_ready(&mut self) {
        while let Some(queue) = self.ready.pop_front() {
            let until = queue.until;
            self.add_result((queue.release(), until));
        }
    }
}
