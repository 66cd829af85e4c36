//! The admin queries of the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, state::GroupState};
use crate::{
    model::{
        BookingId, Cursor, KeyName, ListedBooking, ListedService, Page, PoolUsage, Preview,
        ServiceId, StoreError, Value,
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
    async fn count_services(&self) -> Result<u64, StoreError> {
        Ok(self.state().services.len() as u64)
    }

    async fn services_by_end(
        &self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedService>, StoreError> {
        let state = self.state();
        let services = state.services.iter().map(|(id, record)| ListedService {
            id: id.clone(),
            definition: record.definition.clone(),
            created: record.created,
            end: record.end,
            gms_user: record.gms_user.clone(),
        });
        let position = |service: &ListedService| Cursor {
            end: service.end,
            name: service.id.as_str().to_owned(),
        };
        Ok(page(services.collect(), after, limit, position))
    }

    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError> {
        let state = self.state();
        let states = groups.iter().map(|group| state.groups.get(*group));
        let usages =
            states.map(|state| state.map_or(PoolUsage { size: 0, free: 0 }, GroupState::usage));
        Ok(usages.collect())
    }

    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<ListedBooking>, StoreError> {
        let state = self.state();
        let listed = state
            .groups
            .get(group)
            .map(|state| state.list_bookings().collect());
        let position = |booking: &ListedBooking| Cursor {
            end: booking.until,
            name: booking.id.as_str().to_owned(),
        };
        Ok(page(listed.unwrap_or_default(), after, limit, position))
    }

    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<ListedBooking>, StoreError> {
        let state = self.state();
        let group = state.groups.get(group);
        let bookings =
            group.map(|group| group.bookings_of_number(subscriber).take(limit).collect());
        Ok(bookings.unwrap_or_default())
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
