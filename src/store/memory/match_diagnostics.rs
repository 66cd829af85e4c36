//! Explanations of matches in the embedded store, and the list of failed ones.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{
        FailedMatch, FailedMatchPage, ListedFailedMatch, MatchCandidates, ServiceId, StoreError,
    },
    store::MatchDiagnosticsStore,
};

#[async_trait]
impl MatchDiagnosticsStore for MemoryStore {
    async fn match_candidates(
        &self,
        group: &str,
        dialed: &[String],
        limit: usize,
    ) -> Result<MatchCandidates, StoreError> {
        let (state, now) = (self.state(), self.clock.now());
        let mut candidates = MatchCandidates {
            is_complete: true,
            ..MatchCandidates::default()
        };
        for subscriber in dialed {
            let Some(state) = state.groups.get(group) else {
                continue;
            };
            let mut newest = state.match_candidates(group, subscriber, now);
            candidates.bookings.extend(newest.by_ref().take(limit));
            candidates.is_complete &= newest.next().is_none();
        }
        Ok(candidates)
    }

    async fn are_active(&self, ids: &[ServiceId]) -> Result<Vec<bool>, StoreError> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.service(id).is_some()).collect())
    }

    async fn record_failed_matches(
        &self,
        failed: &[FailedMatch],
        limit: usize,
    ) -> Result<(), StoreError> {
        self.state().failed_matches.append(failed, limit);
        Ok(())
    }

    async fn failed_matches(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<FailedMatchPage, StoreError> {
        let state = self.state();
        let entries = state.failed_matches.entries.iter();
        let entries = entries.filter(|entry| before.is_none_or(|before| *entry.id < *before));
        let matches: Vec<ListedFailedMatch> = entries.take(limit).cloned().collect();
        let last = matches.last().filter(|_| matches.len() == limit);
        let next = last.map(|last| last.id.clone());
        Ok(FailedMatchPage { matches, next })
    }
}
