//! The list of failed matches, which shows operators why a call was not matched.
//!
//! Requests add failed matches to a queue; a task of the process determines the reason of each from the bookings of its
//! number, and records them together, at most once a second. While more fail than the queue has room for, the others are
//! only counted: a flood of failed matches costs Redis at most eleven small commands a second and replica.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time};
use tracing::debug;

use super::{incoming_call::IncomingCall, phone_numbers::mask_subscriber};
use crate::{
    model::{Call, FailedMatch, MatchCandidate, MatchFailure, Mismatch, StoreError, Timestamp},
    store::{AdminStore, MatchDiagnosticsStore},
    telemetry::metrics::MatchMetrics,
};

/// The number of failed matches in the list.
const MAX_LISTED: usize = 1_000;
/// The number of failed matches that a replica records at a time.
const MAX_PENDING: usize = 10;
/// The time between two writes to the list.
const RECORD_INTERVAL: Duration = Duration::from_secs(1);
/// The number of bookings of a dialed number that are compared to determine a reason.
const MAX_COMPARED: usize = 20;

/// A failed match that is not in the list yet.
pub(super) struct UnrecordedMatch {
    failed: FailedMatch,
    call: Call,
    /// The groups with the number, whose bookings show the reason; empty if it is known.
    groups: Vec<String>,
}

impl UnrecordedMatch {
    /// A match that failed at `now`. If the `failure` is not known, the bookings in `groups` show it.
    pub(super) fn new(
        incoming: &IncomingCall<'_>,
        now: Timestamp,
        failure: Option<MatchFailure>,
        groups: Vec<String>,
    ) -> Self {
        let caller = incoming.call.callers.first();
        Self {
            failed: FailedMatch {
                time: now.to_string(),
                access_number: incoming.dialed.to_owned(),
                caller: caller.map(|caller| mask_subscriber(caller)),
                has_code: incoming.call.code.is_some(),
                reason: failure.unwrap_or(MatchFailure::Undetermined),
            },
            call: incoming.call.clone(),
            groups: if failure.is_none() {
                groups
            } else {
                Vec::new()
            },
        }
    }
}

/// The failed matches of this process that are not in the list yet. Clones share them.
#[derive(Clone)]
pub struct FailedMatches {
    pending: Arc<Mutex<Vec<UnrecordedMatch>>>,
    added: Arc<Notify>,
    metrics: MatchMetrics,
}

impl FailedMatches {
    /// Counts failed matches in `metrics`.
    #[must_use]
    pub fn new(metrics: &MatchMetrics) -> Self {
        Self {
            pending: Arc::default(),
            added: Arc::default(),
            metrics: metrics.clone(),
        }
    }

    /// Adds a failed match. If there are too many of them, it is only counted.
    pub(super) fn add(&self, unrecorded: UnrecordedMatch) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < MAX_PENDING {
            pending.push(unrecorded);
            self.added.notify_one();
        } else {
            self.metrics.count_failure(unrecorded.failed.reason);
        }
    }

    /// Records failed matches for as long as it is polled.
    pub async fn run(self, store: Arc<dyn AdminStore>) {
        loop {
            self.added.notified().await;
            let pending =
                mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
            let mut failed = Vec::with_capacity(pending.len());
            for unrecorded in pending {
                failed.push(self.with_reason(&*store, unrecorded).await);
            }
            if let Err(error) = store.record_failed_matches(&failed, MAX_LISTED).await {
                debug!(%error, "failed matches not recorded");
            }
            time::sleep(RECORD_INTERVAL).await;
        }
    }

    /// Determines the reason, and counts it.
    async fn with_reason(
        &self,
        store: &dyn MatchDiagnosticsStore,
        unrecorded: UnrecordedMatch,
    ) -> FailedMatch {
        let UnrecordedMatch {
            mut failed,
            call,
            groups,
        } = unrecorded;
        if !groups.is_empty() {
            match find_reason(store, &call, &groups).await {
                Ok(reason) => failed.reason = reason,
                Err(error) => debug!(%error, "reason of a failed match not determined"),
            }
        }
        self.metrics.count_failure(failed.reason);
        failed
    }
}

/// The reason for which a call matched no booking in these groups.
async fn find_reason(
    store: &dyn MatchDiagnosticsStore,
    call: &Call,
    groups: &[String],
) -> Result<MatchFailure, StoreError> {
    let mut candidates = Vec::new();
    for group in groups {
        let found = store.match_candidates(group, &call.dialed, MAX_COMPARED);
        candidates.extend(found.await?.bookings);
    }
    candidates.sort_by(|a, b| b.id.cmp(&a.id));
    let mismatches = |candidate: &MatchCandidate| -> Vec<Mismatch> {
        call.mismatches(candidate.compared(), || true).collect()
    };
    let mut all: Vec<_> = candidates.iter().map(mismatches).collect();
    let fits = candidates
        .iter()
        .zip(&mut all)
        .filter(|(_, all)| all.is_empty());
    let (services, fits): (Vec<_>, Vec<_>) = fits
        .map(|(candidate, all)| (candidate.service.clone(), all))
        .unzip();
    // A booking that fits and has an active service was made after the match.
    for (is_active, mismatches) in store.are_active(&services).await?.into_iter().zip(fits) {
        if !is_active {
            mismatches.push(Mismatch::ServiceEnded);
        }
    }
    let closest = MatchFailure::of_bookings(all.iter().map(Vec::as_slice));
    Ok(closest.unwrap_or(MatchFailure::NoBooking))
}

#[cfg(test)]
mod tests {
    use rlibphonenumber::Region;

    use super::*;
    use crate::service::PhoneNumbers;

    #[test]
    fn more_failures_than_the_queue_holds_are_only_counted() {
        let metrics = MatchMetrics::default();
        let failed_matches = FailedMatches::new(&metrics);
        let phone_numbers = PhoneNumbers::new(Region::US);
        let incoming = IncomingCall::parse(phone_numbers, Some("8005550001"), None).unwrap();
        for _ in 0..MAX_PENDING + 5 {
            let now = Timestamp::default();
            failed_matches.add(UnrecordedMatch::new(&incoming, now, None, Vec::new()));
        }
        assert_eq!(failed_matches.pending.lock().unwrap().len(), MAX_PENDING);
        assert_eq!(metrics.failures(MatchFailure::Undetermined), 5);
    }
}
