//! The quarantined numbers of a group.

use std::collections::HashMap;

use super::GroupState;
use crate::model::{
    AccessNumber, AllocationStrategy, Group, Quarantine, QuarantinedNumber, Timestamp,
};

impl GroupState {
    /// Quarantines a number. An existing quarantine remains. Returns whether the group has the number.
    pub(in crate::store::memory) fn quarantine_number(
        &mut self,
        number: &AccessNumber,
        by: &str,
        now: Timestamp,
    ) -> bool {
        if self.quarantined.contains_key(&number.subscriber) {
            return true;
        }
        let Some(AccessNumber { text, subscriber }) = self.numbers.remove(&number.text) else {
            return false;
        };
        let used = self.free_keys.get(&text).map(|(used, _)| *used);
        self.remove_free(&text);
        self.order.retain(|other| *other != text);
        let listed = QuarantinedNumber {
            number: text,
            quarantine: Quarantine {
                since: now,
                by: by.to_owned(),
            },
        };
        self.quarantined.insert(subscriber, (listed, used));
        true
    }

    /// Ends the quarantine of a number. Returns whether it was quarantined.
    pub(in crate::store::memory) fn end_quarantine(
        &mut self,
        strategy: AllocationStrategy,
        number: &AccessNumber,
        now: Timestamp,
    ) -> bool {
        let Some((listed, used)) = self.quarantined.remove(&number.subscriber) else {
            return false;
        };
        let number = AccessNumber {
            text: listed.number.clone(),
            subscriber: number.subscriber.clone(),
        };
        // The release of its booking makes an exclusive number free.
        let is_booked = self.by_number.contains_key(&number.subscriber);
        if strategy != AllocationStrategy::Exclusive || !is_booked {
            self.add_free(&listed.number, used.unwrap_or(now.millis()));
        }
        self.numbers.insert(listed.number.clone(), number);
        self.order.push(listed.number);
        true
    }

    /// Keeps the quarantines of the configured numbers, which may have another spelling now.
    pub(super) fn keep_quarantined(&mut self, group: &Group) {
        let numbers = group.numbers.iter();
        let texts: HashMap<_, _> = numbers.map(|one| (&one.subscriber, &one.text)).collect();
        self.quarantined
            .retain(|subscriber, (listed, _)| match texts.get(subscriber) {
                Some(text) => {
                    listed.number.clone_from(text);
                    true
                }
                None => false,
            });
    }

    /// Returns all quarantined numbers.
    pub(in crate::store::memory) fn quarantined_numbers(&self) -> Vec<QuarantinedNumber> {
        let entries = self.quarantined.values();
        entries.map(|(listed, _)| listed.clone()).collect()
    }
}
