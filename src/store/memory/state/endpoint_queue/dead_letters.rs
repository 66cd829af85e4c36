//! Dead letters that are listed and sent again, and the removal of all events.

use std::mem;

use super::EndpointQueue;
use crate::model::{
    Timestamp,
    webhook::{DeadLetter, Event, EventId, Resend, WebhookLimits},
};

impl EndpointQueue {
    pub(in crate::store::memory) fn dead_letters(&self) -> Vec<DeadLetter> {
        let letters = self.dead.values();
        letters.map(|(_, letter)| letter.clone()).collect()
    }

    /// Makes dead letters pending again in their original order, as long as there is room; one alone in any case.
    pub(in crate::store::memory) fn resend(
        &mut self,
        which: &Resend,
        now: Timestamp,
        limits: WebhookLimits,
    ) -> u64 {
        let room = match which {
            Resend::One(_) => 1,
            Resend::Since(_) => limits.max_pending.saturating_sub(self.events.len()),
        };
        let is_chosen = |(at, id): &&(Timestamp, EventId)| match which {
            Resend::One(one) => id == one,
            Resend::Since(since) => at >= since,
        };
        let chosen: Vec<(Timestamp, EventId)> = self
            .dead
            .keys()
            .filter(is_chosen)
            .take(room)
            .cloned()
            .collect();
        let mut resent: Vec<(String, Event)> = chosen
            .iter()
            .filter_map(|key| self.remove_dead(key))
            .collect();
        // Within a queue that is the order of the sequence numbers.
        resent.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, event) in resent {
            self.insert(now, event, now);
        }
        chosen.len() as u64
    }

    /// Deletes the pending events and the dead letters, and returns their number.
    pub(in crate::store::memory) fn delete_events(&mut self) -> u64 {
        let count = self.events.len() + self.dead.len();
        *self = Self {
            next_seq: self.next_seq,
            status: mem::take(&mut self.status),
            ..Self::default()
        };
        count as u64
    }
}
