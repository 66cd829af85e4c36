//! The consistency check of the embedded store.

use super::state::State;
use crate::model::ConsistencyReport;

impl State {
    pub(super) fn check_consistency(&self) -> ConsistencyReport {
        let mut report = ConsistencyReport::default();
        for (group, state) in &self.groups {
            let booked = state.booked_numbers(group);
            let (active, orphaned): (Vec<_>, Vec<_>) =
                booked.partition(|booked| self.services.contains_key(&booked.service));
            report.booked.extend(active);
            report.orphaned.extend(orphaned);
            let lost = state
                .lost_numbers()
                .map(|number| (group.clone(), number.text.clone()));
            report.lost.extend(lost);
        }
        report
    }
}
