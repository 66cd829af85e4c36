//! The list of failed matches, which shows operators why a call was not matched.
//!
//! Requests add failed matches to a queue; a task of the process determines the reason of each from the bookings of its
//! number, and records them together, at most once in [`RECORD_INTERVAL`]. While more fail than the queue has room for,
//! the others are only counted. The bookings of a number are read by one command for each group that is searched, within
//! a [`ReadAllowance`]: a flood of failed matches costs Redis less than a command a second and replica.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{self, Instant},
};
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
const MAX_PENDING: usize = 30;
/// The time between two writes to the list.
const RECORD_INTERVAL: Duration = Duration::from_secs(3);
/// The average time between two commands that read bookings.
const READ_INTERVAL: Duration = Duration::from_secs(5);
/// The number of bookings of a dialed number that are compared to determine a reason. If it has more, the reason is
/// not determined.
const MAX_COMPARED: usize = 200;
/// The number of groups with the dialed number, and of other groups, whose bookings are read to determine a reason.
const MAX_GROUPS: usize = 20;

/// The reason of a failed match.
pub(super) enum Reason {
    Known(MatchFailure),
    /// The bookings of the number in these groups show it.
    OfBookings(SearchedGroups),
}

/// The groups in which the bookings of a number are compared with a call.
pub(super) struct SearchedGroups {
    /// The groups with the number.
    current: Vec<String>,
    /// Other groups, which count if those have no bookings of it.
    others: Vec<String>,
}

impl Reason {
    /// The reason that bookings in the groups with the number show or, if there are none, those in the first ones of the
    /// other groups.
    pub(super) fn of_bookings(current: Vec<String>, mut others: Vec<String>) -> Self {
        others.truncate(MAX_GROUPS);
        Self::OfBookings(SearchedGroups { current, others })
    }
}

/// The commands that may read bookings now: one more in each [`READ_INTERVAL`], at most [`MAX_GROUPS`].
struct ReadAllowance {
    commands: usize,
    /// When the last one was added.
    added: Instant,
}

impl ReadAllowance {
    fn new(now: Instant) -> Self {
        Self {
            commands: MAX_GROUPS,
            added: now,
        }
    }

    /// Takes this number of commands, or none if there are fewer.
    fn try_take(&mut self, commands: usize, now: Instant) -> bool {
        while self.commands < MAX_GROUPS && now - self.added >= READ_INTERVAL {
            self.commands += 1;
            self.added += READ_INTERVAL;
        }
        if self.commands == MAX_GROUPS {
            self.added = now;
        }
        let left = self.commands.checked_sub(commands);
        self.commands = left.unwrap_or(self.commands);
        left.is_some()
    }
}

/// A failed match that is not in the list yet.
pub(super) struct UnrecordedMatch {
    failed: FailedMatch,
    call: Call,
    /// The groups whose bookings show the reason; `None` if it is known.
    groups: Option<SearchedGroups>,
}

impl UnrecordedMatch {
    /// A match that failed at `now`.
    pub(super) fn new(incoming: &IncomingCall<'_>, now: Timestamp, reason: Reason) -> Self {
        let caller = incoming.call.callers.first();
        let (reason, groups) = match reason {
            Reason::Known(failure) => (failure, None),
            Reason::OfBookings(groups) => (MatchFailure::Undetermined, Some(groups)),
        };
        Self {
            failed: FailedMatch {
                time: now.to_string(),
                access_number: incoming.dialed.to_owned(),
                caller: caller.map(|caller| mask_subscriber(caller)),
                has_code: incoming.call.code.is_some(),
                reason,
            },
            call: incoming.call.clone(),
            groups,
        }
    }

    /// Whether both matches were rejected because of the limit on failed matches of one number.
    fn is_same_rejection(&self, other: &Self) -> bool {
        let is_rejection = |one: &Self| one.failed.reason == MatchFailure::RateLimited;
        let is_same_number = self.call.dialed.first() == other.call.dialed.first();
        is_rejection(self) && is_rejection(other) && is_same_number
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

    /// Adds a failed match. It is only counted if there are too many of them, or if another call to the number that was
    /// rejected because of the limit is in the queue: those say nothing new, and would displace others.
    pub(super) fn add(&self, unrecorded: UnrecordedMatch) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_repeated = pending
            .iter()
            .any(|other| unrecorded.is_same_rejection(other));
        if pending.len() < MAX_PENDING && !is_repeated {
            pending.push(unrecorded);
            self.added.notify_one();
        } else {
            self.metrics.count_failure(unrecorded.failed.reason);
        }
    }

    /// Records failed matches for as long as it is polled.
    pub async fn run(self, store: Arc<dyn AdminStore>) {
        let mut reads = ReadAllowance::new(Instant::now());
        loop {
            self.added.notified().await;
            let pending =
                mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
            let mut failed = Vec::with_capacity(pending.len());
            for unrecorded in pending {
                failed.push(self.with_reason(&*store, &mut reads, unrecorded).await);
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
        reads: &mut ReadAllowance,
        unrecorded: UnrecordedMatch,
    ) -> FailedMatch {
        let UnrecordedMatch {
            mut failed,
            call,
            groups,
        } = unrecorded;
        if let Some(groups) = groups {
            match find_reason(store, reads, &call, &groups).await {
                Ok(reason) => failed.reason = reason,
                Err(error) => debug!(%error, "reason of a failed match not determined"),
            }
        }
        self.metrics.count_failure(failed.reason);
        failed
    }
}

/// The reason for which a call matched no booking in these groups, as far as reads are allowed.
async fn find_reason(
    store: &dyn MatchDiagnosticsStore,
    reads: &mut ReadAllowance,
    call: &Call,
    groups: &SearchedGroups,
) -> Result<MatchFailure, StoreError> {
    let SearchedGroups { current, others } = groups;
    if !reads.try_take(current.len(), Instant::now()) {
        return Ok(MatchFailure::Undetermined);
    }
    let mut candidates = read_candidates(store, call, current).await?;
    if candidates.as_ref().is_some_and(Vec::is_empty)
        && reads.try_take(others.len(), Instant::now())
    {
        candidates = read_candidates(store, call, others).await?;
    }
    match candidates {
        None => Ok(MatchFailure::Undetermined),
        Some(none) if none.is_empty() && current.is_empty() => Ok(MatchFailure::UnknownNumber),
        Some(candidates) => compare(store, call, candidates).await,
    }
}

/// All bookings of the dialed number in these groups; `None` if there are more than [`MAX_COMPARED`].
async fn read_candidates(
    store: &dyn MatchDiagnosticsStore,
    call: &Call,
    groups: &[String],
) -> Result<Option<Vec<MatchCandidate>>, StoreError> {
    let mut candidates = Vec::new();
    for group in groups {
        let limit = MAX_COMPARED.saturating_sub(candidates.len());
        let found = store.match_candidates(group, &call.dialed, limit).await?;
        if !found.is_complete {
            return Ok(None);
        }
        candidates.extend(found.bookings);
    }
    Ok(Some(candidates))
}

/// The reason for which a call matched none of these bookings, which are all of its number.
async fn compare(
    store: &dyn MatchDiagnosticsStore,
    call: &Call,
    mut candidates: Vec<MatchCandidate>,
) -> Result<MatchFailure, StoreError> {
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
            let reason = Reason::of_bookings(Vec::new(), Vec::new());
            failed_matches.add(UnrecordedMatch::new(&incoming, now, reason));
        }
        assert_eq!(failed_matches.pending.lock().unwrap().len(), MAX_PENDING);
        assert_eq!(metrics.failures(MatchFailure::Undetermined), 5);
    }

    #[test]
    fn reads_are_limited() {
        let start = Instant::now();
        let mut reads = ReadAllowance::new(start);
        assert!(reads.try_take(MAX_GROUPS - 1, start));
        assert!(!reads.try_take(2, start));
        assert!(reads.try_take(1, start));
        let next = start + READ_INTERVAL;
        assert!(reads.try_take(1, next) && !reads.try_take(1, next));
        let later = start + READ_INTERVAL * 1_000;
        assert!(!reads.try_take(MAX_GROUPS + 1, later));
        assert!(reads.try_take(MAX_GROUPS, later) && !reads.try_take(1, later));
    }

    #[test]
    fn repeated_rejections_of_a_number_leave_room_for_others() {
        let metrics = MatchMetrics::default();
        let failed_matches = FailedMatches::new(&metrics);
        let add = |dialed, failure| {
            let phone_numbers = PhoneNumbers::new(Region::US);
            let incoming = IncomingCall::parse(phone_numbers, Some(dialed), None).unwrap();
            let (now, reason) = (Timestamp::default(), Reason::Known(failure));
            failed_matches.add(UnrecordedMatch::new(&incoming, now, reason));
        };
        for dialed in ["8005550001", "+1 800 555 0001"].repeat(MAX_PENDING) {
            add(dialed, MatchFailure::RateLimited);
        }
        add("8005550002", MatchFailure::RateLimited);
        for _ in 0..2 {
            add("8005550001", MatchFailure::CallerNotComparable);
        }
        let pending = failed_matches.pending.lock().unwrap();
        let reasons: Vec<_> = pending.iter().map(|one| one.failed.reason).collect();
        let (rejected, withheld) = (MatchFailure::RateLimited, MatchFailure::CallerNotComparable);
        assert_eq!(reasons, [rejected, rejected, withheld, withheld]);
        assert_eq!(metrics.failures(rejected), 2 * MAX_PENDING as u64 - 1);
    }
}
