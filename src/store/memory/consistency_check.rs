//! The consistency check of the embedded store.

use std::sync::Arc;

use async_trait::async_trait;

use super::{MemoryStore, state::State};
use crate::{
    model::{ConsistencyReport, Group, StoreError},
    store::ConsistencyCheck,
};

impl State {
    fn check_consistency(&self) -> ConsistencyReport {
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

#[async_trait]
impl ConsistencyCheck for MemoryStore {
    async fn check_consistency(
        &self,
        _groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError> {
        Ok(self.state().check_consistency())
    }
}
