//! The table of rate limit counters.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::model::{RateLimitKey, RateLimitState, StoreError, Timestamp};

/// More than any limit needs within its window; a counter takes some 100 bytes.
const MAX_COUNTERS: usize = 1_000_000;

#[derive(Default)]
pub(in crate::store::memory) struct RateLimits {
    counters: HashMap<RateLimitKey, (u64, Timestamp)>,
    /// Counters by expiration time; the sequence number makes each key unique.
    expiries: BTreeMap<(Timestamp, u64), RateLimitKey>,
    next_seq: u64,
}

impl RateLimits {
    pub(in crate::store::memory) fn remove_expired(&mut self, now: Timestamp) {
        while let Some(entry) = self.expiries.first_entry()
            && entry.key().0 <= now
        {
            self.counters.remove(&entry.remove());
        }
    }

    pub(in crate::store::memory) fn take(
        &mut self,
        key: &RateLimitKey,
        max: u64,
        window: Duration,
        now: Timestamp,
    ) -> Result<RateLimitState, StoreError> {
        if !self.counters.contains_key(key) {
            if self.counters.len() >= MAX_COUNTERS {
                return Err(StoreError::Full(format!(
                    "{MAX_COUNTERS} rate limit counters are in use"
                )));
            }
            let end = now.after(window);
            self.expiries.insert((end, self.next_seq), key.clone());
            self.next_seq += 1;
            self.counters.insert(key.clone(), (0, end));
        }
        let (count, end) = self.counters.entry(key.clone()).or_insert((0, now));
        let new_count = *count + 1;
        *count = new_count.min(max.max(*count));
        Ok(RateLimitState {
            count: new_count,
            resets_in: end.since(now),
        })
    }

    pub(in crate::store::memory) fn get(
        &self,
        key: &RateLimitKey,
        now: Timestamp,
    ) -> RateLimitState {
        let counter = self.counters.get(key).filter(|(_, end)| *end > now);
        RateLimitState {
            count: counter.map_or(0, |(count, _)| *count),
            resets_in: counter.map_or(Duration::ZERO, |(_, end)| end.since(now)),
        }
    }

    pub(in crate::store::memory) fn refund(&mut self, key: &RateLimitKey) {
        if let Some((count, _)) = self.counters.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }
}
