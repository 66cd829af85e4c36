//! Counts that end by themselves.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::store::{RateLimitKey, RateLimitState, StoreError, Timestamp};

/// More than any limit needs within the time that it is counted over; they take some 100 bytes each.
const MAX_COUNTERS: usize = 1_000_000;

#[derive(Default)]
pub(super) struct RateLimits {
    counters: HashMap<RateLimitKey, (u64, Timestamp)>,
    /// What ends when; the number makes each place the only one of its time.
    expiries: BTreeMap<(Timestamp, u64), RateLimitKey>,
    next_seq: u64,
}

impl RateLimits {
    pub(super) fn remove_expired(&mut self, now: Timestamp) {
        while let Some(entry) = self.expiries.first_entry()
            && entry.key().0 <= now
        {
            self.counters.remove(&entry.remove());
        }
    }

    pub(super) fn take(
        &mut self,
        tally: &RateLimitKey,
        most: u64,
        window: Duration,
        now: Timestamp,
    ) -> Result<RateLimitState, StoreError> {
        if !self.counters.contains_key(tally) {
            if self.counters.len() >= MAX_COUNTERS {
                return Err(StoreError::Full(format!(
                    "{MAX_COUNTERS} counts are under way"
                )));
            }
            let end = now.after(window);
            self.expiries.insert((end, self.next_seq), tally.clone());
            self.next_seq += 1;
            self.counters.insert(tally.clone(), (0, end));
        }
        let (times, end) = self.counters.entry(tally.clone()).or_insert((0, now));
        let with_this = *times + 1;
        *times = with_this.min(most.max(*times));
        Ok(RateLimitState {
            count: with_this,
            resets_in: end.since(now),
        })
    }

    pub(super) fn refund(&mut self, tally: &RateLimitKey) {
        if let Some((times, _)) = self.counters.get_mut(tally) {
            *times = times.saturating_sub(1);
        }
    }
}
