//! Synchronization of a resource group with the catalog.

use std::{collections::HashMap, mem};

use super::GroupState;
use crate::model::{AllocationStrategy, Group, Timestamp};

impl GroupState {
    /// Applies the configured numbers of the group. Existing bookings remain; removed numbers do not
    /// become free again.
    pub(in crate::store::memory) fn sync_group(&mut self, group: &Group, now: Timestamp) {
        if self.version == group.version {
            return;
        }
        self.version.clone_from(&group.version);
        let previous = mem::take(&mut self.numbers);
        self.keep_quarantined(group);
        self.order.clear();
        for number in &group.numbers {
            if self.quarantined.contains_key(&number.subscriber) {
                continue;
            }
            self.order.push(number.text.clone());
            self.numbers.insert(number.text.clone(), number.clone());
            let is_booked = self.by_number.contains_key(&number.subscriber);
            let becomes_free = match group.strategy {
                AllocationStrategy::Exclusive => !previous.contains_key(&number.text) && !is_booked,
                // A shared number remains free while it is booked.
                AllocationStrategy::Random | AllocationStrategy::RoundRobin => {
                    !self.free_keys.contains_key(&number.text)
                }
            };
            if becomes_free {
                let last_used = if is_booked { now.millis() } else { 0 };
                self.add_free(&number.text, last_used);
            }
        }
        for removed in previous.keys() {
            if !self.numbers.contains_key(removed) {
                self.remove_free(removed);
            }
        }
        // Bookings return the current spelling of their number.
        let numbers = group.numbers.iter();
        let current: HashMap<_, _> = numbers.map(|one| (&one.subscriber, one)).collect();
        for entry in self.bookings.values_mut() {
            if let Some(number) = current.get(&entry.number.subscriber) {
                entry.number = (*number).clone();
            }
        }
    }
}
