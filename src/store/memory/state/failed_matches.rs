//! The table of failed matches.

use std::collections::VecDeque;

use crate::model::{FailedMatch, ListedFailedMatch};

/// The failed matches, newest first.
#[derive(Default)]
pub(in crate::store::memory) struct FailedMatchTable {
    pub(in crate::store::memory) entries: VecDeque<ListedFailedMatch>,
    next_id: u64,
}

impl FailedMatchTable {
    /// Appends failed matches and drops the oldest ones beyond `limit`.
    pub(in crate::store::memory) fn append(&mut self, failed: &[FailedMatch], limit: usize) {
        for failed in failed {
            self.entries.push_front(ListedFailedMatch {
                id: format!("{:016}", self.next_id),
                failed: failed.clone(),
            });
            self.next_id += 1;
        }
        self.entries.truncate(limit);
    }
}
