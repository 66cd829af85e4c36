//! Explanations of matches, and the list of failed ones.

use async_trait::async_trait;

use crate::model::{FailedMatch, FailedMatchPage, MatchCandidates, ServiceId, StoreError};
use crate::store::Clock;

/// The store's queries about matches.
#[async_trait]
pub trait MatchDiagnosticsStore: Clock {
    /// Returns the bookings of these dialed subscribers in a group, at most `limit` of each, newest first. Nothing
    /// changes: expired bookings are returned, not released.
    async fn match_candidates(
        &self,
        group: &str,
        dialed: &[String],
        limit: usize,
    ) -> Result<MatchCandidates, StoreError>;

    /// Returns whether each of these services is active, in this order.
    async fn are_active(&self, ids: &[ServiceId]) -> Result<Vec<bool>, StoreError>;

    /// Appends failed matches to the list, which retains the last `limit`. In Redis the list expires a week after the
    /// last one.
    async fn record_failed_matches(
        &self,
        failed: &[FailedMatch],
        limit: usize,
    ) -> Result<(), StoreError>;

    /// Returns a page of at most `limit` failed matches, newest first: those before the entry `before`, or the newest.
    async fn failed_matches(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<FailedMatchPage, StoreError>;
}
