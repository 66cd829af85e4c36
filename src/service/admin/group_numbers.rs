//! The numbers of a resource group, each with its state.

use std::collections::HashSet;

use super::{Admin, AdminError};
use crate::model::{AccessNumber, NumberState, Table, Timestamp};

/// A number of a group.
#[derive(Debug, Clone)]
pub struct GroupNumber {
    /// The number.
    pub number: AccessNumber,
    /// Whether it is the backup number, which any number of services get.
    pub is_backup: bool,
    /// Its bookings and last use.
    pub state: NumberState,
}

impl GroupNumber {
    /// The states, as [`GroupNumber::state_name`] returns them.
    pub const STATES: [&'static str; 4] = ["free", "booked", "expired", "quarantined"];

    /// The state at `now`. The booking of an expired number is released by the next booking or by the cleanup. A
    /// quarantined number may have bookings.
    #[must_use]
    pub fn state_name(&self, now: Timestamp) -> &'static str {
        let [free, booked, expired, quarantined] = Self::STATES;
        match &self.state.booking {
            _ if self.state.quarantine.is_some() => quarantined,
            None => free,
            Some(booking) if booking.until > now => booked,
            Some(_) => expired,
        }
    }
}

impl Admin {
    /// The numbers of an active group of which the text contains `part`, or that `part` is a spelling of. They are in the
    /// order of the catalog, the backup number last, and have no states yet.
    ///
    /// # Errors
    /// [`AdminError::NoSuchEntry`].
    pub fn find_group_numbers(
        &self,
        group: &str,
        part: &str,
    ) -> Result<Vec<GroupNumber>, AdminError> {
        let catalog = self.context.current_catalog.load();
        let Some(resources) = catalog.resource_group(group) else {
            return Err(AdminError::NoSuchEntry(Table::Resources, group.to_owned()));
        };
        let group = &resources.group;
        let subscriber = self.subscriber_of(part).ok();
        let is_wanted = |number: &&AccessNumber| {
            number.text.contains(part) || Some(&number.subscriber) == subscriber.as_ref()
        };
        let to_group_number = |number: &AccessNumber, is_backup| GroupNumber {
            number: number.clone(),
            is_backup,
            state: NumberState::default(),
        };
        let numbers = group.numbers.iter().filter(is_wanted);
        let numbers = numbers.map(|number| to_group_number(number, false));
        let backup = group.backup.iter().filter(is_wanted);
        let backup = backup.map(|number| to_group_number(number, true));
        Ok(numbers.chain(backup).collect())
    }

    /// The names of the groups that have a number, in any spelling.
    #[must_use]
    pub fn groups_with_number(&self, number: &str) -> HashSet<String> {
        let Ok(subscriber) = self.subscriber_of(number) else {
            return HashSet::new();
        };
        let catalog = self.context.current_catalog.load();
        let names = catalog.resource_groups().with_number(&subscriber);
        names.iter().cloned().collect()
    }

    /// Reads the states of numbers of the group. See
    /// [`AdminQueries::number_states`](crate::store::AdminQueries::number_states).
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn read_number_states(
        &self,
        group: &str,
        numbers: &mut [GroupNumber],
    ) -> Result<(), AdminError> {
        let listed: Vec<AccessNumber> = numbers.iter().map(|one| one.number.clone()).collect();
        let states = self.store.number_states(group, &listed).await?;
        for (number, state) in numbers.iter_mut().zip(states) {
            number.state = state;
        }
        Ok(())
    }
}
