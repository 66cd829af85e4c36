//! Counts that end by themselves.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use crate::store::{Counted, Moment, StoreError, Tally};

/// More than any limit needs within the time that it is counted over; they take some 100 bytes each.
const MOST: usize = 1_000_000;

#[derive(Default)]
pub(super) struct Tallies {
    counts: HashMap<Tally, (u64, Moment)>,
    /// What ends when; the number makes each place the only one of its time.
    ends: BTreeMap<(Moment, u64), Tally>,
    next: u64,
}

impl Tallies {
    pub(super) fn end_all_due(&mut self, now: Moment) {
        while let Some(entry) = self.ends.first_entry()
            && entry.key().0 <= now
        {
            self.counts.remove(&entry.remove());
        }
    }

    pub(super) fn count(
        &mut self,
        tally: &Tally,
        most: u64,
        window: Duration,
        now: Moment,
    ) -> Result<Counted, StoreError> {
        if !self.counts.contains_key(tally) {
            if self.counts.len() >= MOST {
                return Err(StoreError::Full(format!("{MOST} counts are under way")));
            }
            let end = now.after(window);
            self.ends.insert((end, self.next), tally.clone());
            self.next += 1;
            self.counts.insert(tally.clone(), (0, end));
        }
        let (times, end) = self.counts.entry(tally.clone()).or_insert((0, now));
        let with_this = *times + 1;
        *times = with_this.min(most.max(*times));
        Ok(Counted {
            times: with_this,
            left: end.since(now),
        })
    }

    pub(super) fn uncount(&mut self, tally: &Tally) {
        if let Some((times, _)) = self.counts.get_mut(tally) {
            *times = times.saturating_sub(1);
        }
    }
}
