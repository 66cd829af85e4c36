//! The state of a running endpoint task.

use std::collections::VecDeque;

use futures_util::{future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Duration, Instant};

use crate::{
    model::{
        StoreError,
        webhook::{NextAttempt, QueueResult},
    },
    service::webhooks::queue_delivery::LeasedQueue,
};

/// The number of results that are recorded without waiting for others.
const RESULT_BATCH: usize = 64;
/// The maximum number of results that are recorded at once.
const MAX_RECORDED_RESULTS: usize = 256;
/// The time that a result waits for others.
const RESULT_DELAY: Duration = Duration::from_millis(5);
/// The time until results are recorded again after an error of the store.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// A result to record, and the end of its lease.
pub(super) type Finished = (QueueResult, Instant);

/// A step of the task that is complete.
pub(super) enum Step {
    Claimed(Result<Vec<LeasedQueue>, StoreError>),
    Delivered(Finished),
    Recorded(Vec<Finished>, Result<(), StoreError>),
}

/// The state of a running task.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub(super) struct Progress<'a> {
    pub(super) steps: FuturesUnordered<BoxFuture<'a, Step>>,
    /// Whether there may be due queues that are not claimed.
    pub(super) may_be_due: bool,
    pub(super) is_claiming: bool,
    /// Whether the current claim began before a response stopped the endpoint.
    pub(super) is_claim_stale: bool,
    /// Claimed queues whose delivery has not started.
    pub(super) ready: VecDeque<LeasedQueue>,
    /// The number of queues that are delivered.
    pub(super) delivering: usize,
    results: Vec<Finished>,
    /// When the results are recorded at the latest.
    pub(super) record_at: Instant,
    is_recording: bool,
    /// Whether the store does not know yet that a response has stopped the endpoint.
    is_stop_unrecorded: bool,
    pub(super) is_claim_failing: bool,
    pub(super) is_record_failing: bool,
}

impl Progress<'_> {
    pub(super) fn new() -> Self {
        Self {
            steps: FuturesUnordered::new(),
            may_be_due: true,
            is_claiming: false,
            is_claim_stale: false,
            ready: VecDeque::new(),
            delivering: 0,
            results: Vec::new(),
            record_at: Instant::now(),
            is_recording: false,
            is_stop_unrecorded: false,
            is_claim_failing: false,
            is_record_failing: false,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.steps.is_empty() && self.results.is_empty()
    }

    /// Whether queues can be claimed: not before the store knows that the endpoint is stopped, and not while results
    /// cannot be recorded, so that there are not ever more of them.
    pub(super) fn can_claim(&self) -> bool {
        let is_blocked = self.is_record_failing && (self.is_recording || !self.results.is_empty());
        self.may_be_due && !self.is_claiming && !self.is_stop_unrecorded && !is_blocked
    }

    /// Whether there are results that can be recorded.
    pub(super) fn has_results(&self) -> bool {
        !self.results.is_empty() && !self.is_recording
    }

    /// Whether the results are recorded now: there are enough of them, no more are expected, or they have waited. After
    /// an error they wait in any case.
    fn must_record(&self) -> bool {
        let is_idle = self.delivering == 0 && self.ready.is_empty();
        let is_full = is_idle || self.results.len() >= RESULT_BATCH;
        let is_time = Instant::now() >= self.record_at;
        self.has_results() && (is_time || (is_full && !self.is_record_failing))
    }

    /// The results to record now, if there are any. Until [`end_recording`](Self::end_recording) there are no others.
    pub(super) fn start_recording(&mut self) -> Option<Vec<Finished>> {
        if !self.must_record() {
            return None;
        }
        self.is_recording = true;
        let count = self.results.len().min(MAX_RECORDED_RESULTS);
        Some(self.results.drain(..count).collect())
    }

    /// Ends the recording of a batch, of which `unrecorded` has to be recorded again.
    pub(super) fn end_recording(&mut self, unrecorded: Vec<Finished>) {
        self.is_recording = false;
        if self.is_record_failing {
            self.record_again(unrecorded);
        } else {
            // The queues may have more events.
            self.may_be_due = true;
        }
        self.is_stop_unrecorded = self.results.iter().any(|(result, _)| is_stop(result));
    }

    pub(super) fn add_result(&mut self, finished: Finished) {
        if self.results.is_empty() && !self.is_record_failing {
            self.record_at = Instant::now() + RESULT_DELAY;
        }
        self.is_stop_unrecorded |= is_stop(&finished.0);
        self.results.push(finished);
    }

    /// Keeps results whose lease has not ended. The events of the others are delivered again.
    fn record_again(&mut self, batch: Vec<Finished>) {
        let now = Instant::now();
        self.record_at = now + RETRY_DELAY;
        let leased = batch.into_iter().filter(|(_, until)| *until > now);
        self.results.extend(leased);
    }

    /// Releases queues without an attempt, so that they can be claimed again at once.
    pub(super) fn release(&mut self, queues: impl IntoIterator<Item = LeasedQueue>) {
        for queue in queues {
            let until = queue.until;
            self.add_result((queue.release(), until));
        }
    }

    /// Releases the queues whose delivery has not started.
    pub(super) fn release_ready(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        self.release(ready);
    }
}

/// Whether a result stops the endpoint.
fn is_stop(result: &QueueResult) -> bool {
    let failure = result.failure.as_ref();
    failure.is_some_and(|failure| failure.next == NextAttempt::StopEndpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Timestamp,
        webhook::{DeliveryClaim, DeliveryFailure},
    };

    fn finished(next: Option<NextAttempt>) -> Finished {
        let result = QueueResult {
            queue: "a".to_owned(),
            claim: DeliveryClaim {
                until: Timestamp::default(),
                positions: Vec::new(),
            },
            delivered: Vec::new(),
            failure: next.map(|next| DeliveryFailure {
                error: "response 410".to_owned(),
                next,
            }),
        };
        (result, Instant::now() + Duration::from_secs(30))
    }

    #[tokio::test]
    async fn the_number_of_results_that_are_recorded_at_once_is_bounded() {
        let mut progress = Progress::new();
        assert!(progress.start_recording().is_none());
        for _ in 0..300 {
            progress.add_result(finished(None));
        }
        assert_eq!(progress.start_recording().unwrap().len(), 256);
        assert!(progress.start_recording().is_none(), "one at a time");
        progress.end_recording(Vec::new());
        assert_eq!(progress.start_recording().unwrap().len(), 44);
    }

    #[tokio::test]
    async fn after_an_error_results_wait_and_nothing_is_claimed() {
        let mut progress = Progress::new();
        progress.add_result(finished(None));
        let batch = progress.start_recording().unwrap();
        assert!(progress.can_claim());
        progress.is_record_failing = true;
        progress.end_recording(batch);
        progress.add_result(finished(None));
        assert!(
            progress.start_recording().is_none(),
            "no earlier than later"
        );
        assert!(!progress.can_claim());
        progress.record_at = Instant::now();
        assert_eq!(progress.start_recording().unwrap().len(), 2);
        progress.end_recording(Vec::new());
        assert!(progress.can_claim(), "nothing is left to record");
    }

    #[tokio::test]
    async fn a_result_whose_lease_has_ended_is_dropped() {
        let mut progress = Progress::new();
        progress.is_record_failing = true;
        let (result, _) = finished(None);
        progress.end_recording(vec![(result, Instant::now()), finished(None)]);
        assert_eq!(progress.results.len(), 1);
    }

    #[tokio::test]
    async fn nothing_is_claimed_until_a_stop_is_recorded() {
        let mut progress = Progress::new();
        progress.add_result(finished(Some(NextAttempt::StopEndpoint)));
        assert!(!progress.can_claim());
        let batch = progress.start_recording().unwrap();
        assert!(!progress.can_claim());
        progress.is_record_failing = true;
        progress.end_recording(batch);
        progress.record_at = Instant::now();
        progress.start_recording().unwrap();
        progress.is_record_failing = false;
        progress.end_recording(Vec::new());
        assert!(progress.can_claim());
    }
}
