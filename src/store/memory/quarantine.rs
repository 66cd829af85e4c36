//! Quarantined numbers in the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::GroupState};
use crate::{
    model::{AccessNumber, Group, QuarantinedNumber, StoreError},
    store::QuarantineStore,
};

#[async_trait]
impl QuarantineStore for MemoryStore {
    async fn quarantine_number(
        &self,
        group: &Group,
        number: &AccessNumber,
        by: &str,
    ) -> Result<bool, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let group = state.group_bookings(group);
        Ok(group.quarantine_number(number, by, now))
    }

    async fn end_quarantine(
        &self,
        group: &Group,
        number: &AccessNumber,
    ) -> Result<bool, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let bookings = state.group_bookings(group);
        Ok(bookings.end_quarantine(group.strategy, number, now))
    }

    async fn quarantined_numbers(&self, group: &str) -> Result<Vec<QuarantinedNumber>, StoreError> {
        let state = self.state();
        let numbers = state.groups.get(group).map(GroupState::quarantined_numbers);
        Ok(numbers.unwrap_or_default())
    }
}
