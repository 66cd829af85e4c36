//! The books of the embedded store, looked through.

use super::state::State;
use crate::store::ConsistencyReport;

impl State {
    pub(super) fn check_consistency(&self) -> ConsistencyReport {
        let mut audit = ConsistencyReport::default();
        for (group, books) in &self.groups {
            let held = books.booked_numbers(group);
            let (alive, dead): (Vec<_>, Vec<_>) =
                held.partition(|held| self.services.contains_key(&held.service));
            audit.booked.extend(alive);
            audit.orphaned.extend(dead);
            let lost = books
                .lost_numbers()
                .map(|number| (group.clone(), number.text.clone()));
            audit.lost.extend(lost);
        }
        audit
    }
}
