//! The admin queries of the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::GroupState};
use crate::{
    model::{
        AccessNumber, BookingId, Cursor, KeyName, ListRange, ListedBooking, NumberState, Page,
        PoolUsage, Preview, ServiceId, StoreError, Timestamp, Value,
    },
    store::AdminQueries,
};

/// Returns the entries after `after`, at most `limit`; `position` returns the cursor of an entry.
pub(super) fn page<T>(
    mut entries: Vec<T>,
    after: Option<&Cursor>,
    limit: usize,
    position: impl Fn(&T) -> Cursor,
) -> Page<T> {
    entries.retain(|entry| after.is_none_or(|after| position(entry) > *after));
    entries.sort_by_key(&position);
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(position);
    Page { entries, next }
}

#[async_trait]
impl AdminQueries for MemoryStore {
    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError> {
        let state = self.state();
        let states = groups.iter().map(|group| state.groups.get(*group));
        let unknown = PoolUsage {
            size: 0,
            free: 0,
            quarantined: 0,
        };
        let usages = states.map(|state| state.map_or(unknown, GroupState::usage));
        Ok(usages.collect())
    }

    async fn count_bookings(&self, groups: &[&str]) -> Result<u64, StoreError> {
        let state = self.state();
        let states = groups.iter().filter_map(|group| state.groups.get(*group));
        Ok(states.map(|group| group.booked_and_free().0 as u64).sum())
    }

    async fn count_expired_bookings(&self, groups: &[&str]) -> Result<Vec<u64>, StoreError> {
        let (now, state) = (self.clock.now(), self.state());
        let states = groups.iter().map(|group| state.groups.get(*group));
        let counts = states.map(|group| group.map_or(0, |group| group.count_expired(now)));
        Ok(counts.collect())
    }

    async fn exhausted_at(&self, groups: &[&str]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let state = self.state();
        let states = groups.iter().map(|group| state.groups.get(*group));
        let times = states.map(|group| group.and_then(|group| group.last_exhausted));
        Ok(times.collect())
    }

    async fn bookings_by_end(
        &self,
        groups: &[&str],
        range: &ListRange,
        limit: usize,
    ) -> Result<Page<(String, ListedBooking)>, StoreError> {
        let state = self.state();
        let bookings = groups.iter().flat_map(|name| {
            let bookings = state.groups.get(*name).map(GroupState::list_bookings);
            let bookings = bookings.into_iter().flatten();
            bookings.map(|booking| ((*name).to_owned(), booking))
        });
        let mut entries = range.select(bookings, |(_, one)| (one.until, one.id.as_str()));
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| has_more);
        let next = last.map(|(_, booking)| Cursor {
            end: booking.until,
            name: booking.id.as_str().to_owned(),
        });
        Ok(Page { entries, next })
    }

    async fn bookings_of_number(
        &self,
        groups: &[&str],
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(String, ListedBooking)>, StoreError> {
        let state = self.state();
        let bookings = groups.iter().flat_map(|name| {
            let group = state.groups.get(*name).into_iter();
            let bookings = group.flat_map(|group| group.bookings_of_number(subscriber));
            bookings.map(|booking| ((*name).to_owned(), booking))
        });
        Ok(bookings.take(limit).collect())
    }

    async fn number_states(
        &self,
        group: &str,
        numbers: &[AccessNumber],
    ) -> Result<Vec<NumberState>, StoreError> {
        let state = self.state();
        let group = state.groups.get(group);
        let states = numbers
            .iter()
            .map(|number| group.map(|group| group.number_state(number)));
        Ok(states.map(Option::unwrap_or_default).collect())
    }

    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError> {
        let state = self.state();
        Ok(state.groups.get(group).and_then(|group| group.get(id)))
    }

    async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        limit: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError> {
        let state = self.state();
        let record = state.service(id);
        let preview = |key| match record?.get(key)? {
            Value::Text(text) => {
                let first = text.bytes().take(limit).collect();
                Some(Preview::from_bytes(first, text.len()))
            }
            Value::Binary(_) => None,
        };
        Ok(keys.iter().map(preview).collect())
    }

    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError> {
        let state = self.state();
        let bookings = state.service(id).map(|record| record.bookings.clone());
        Ok(bookings.unwrap_or_default())
    }
}
