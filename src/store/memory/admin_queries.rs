//! Services by their end, and bookings, in the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, bookings::GroupState};
use crate::store::{
    AdminQueries, BookingId, Cursor, KeyName, ListedBooking, ListedService, Page, PoolUsage,
    Preview, ServiceId, StoreError, Value,
};

/// What stands behind `after`, `most` at most; `place` is where an entry stands.
fn page<T>(
    mut entries: Vec<T>,
    after: Option<&Cursor>,
    most: usize,
    place: impl Fn(&T) -> Cursor,
) -> Page<T> {
    entries.retain(|entry| after.is_none_or(|after| place(entry) > *after));
    entries.sort_by_key(&place);
    let more = entries.len() > most;
    entries.truncate(most);
    let next = entries.last().filter(|_| more).map(place);
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
        most: usize,
    ) -> Result<Page<ListedService>, StoreError> {
        let state = self.state();
        let services = state.services.iter().map(|(id, held)| ListedService {
            id: id.clone(),
            definition: held.definition.clone(),
            created: held.created,
            end: held.end,
            gms_user: held.gms_user.clone(),
        });
        let place = |service: &ListedService| Cursor {
            end: service.end,
            name: service.id.as_str().to_owned(),
        };
        Ok(page(services.collect(), after, most, place))
    }

    async fn pool_usages(&self, groups: &[&str]) -> Result<Vec<PoolUsage>, StoreError> {
        let state = self.state();
        let books = groups.iter().map(|group| state.groups.get(*group));
        let fills =
            books.map(|books| books.map_or(PoolUsage { size: 0, free: 0 }, GroupState::usage));
        Ok(fills.collect())
    }

    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Cursor>,
        most: usize,
    ) -> Result<Page<ListedBooking>, StoreError> {
        let state = self.state();
        let listed = state
            .groups
            .get(group)
            .map(|books| books.list_bookings().collect());
        let place = |booking: &ListedBooking| Cursor {
            end: booking.until,
            name: booking.id.as_str().to_owned(),
        };
        Ok(page(listed.unwrap_or_default(), after, most, place))
    }

    async fn bookings_of_number(
        &self,
        group: &str,
        subscriber: &str,
        most: usize,
    ) -> Result<Vec<ListedBooking>, StoreError> {
        let state = self.state();
        let books = state.groups.get(group);
        let bookings = books.map(|books| books.bookings_of_number(subscriber).take(most).collect());
        Ok(bookings.unwrap_or_default())
    }

    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError> {
        let state = self.state();
        Ok(state.groups.get(group).and_then(|books| books.get(id)))
    }

    async fn previews(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        most: usize,
    ) -> Result<Vec<Option<Preview>>, StoreError> {
        let state = self.state();
        let held = state.service(id);
        let beginning = |key| match held?.get(key)? {
            Value::Text(text) => {
                let first = text.bytes().take(most).collect();
                Some(Preview::from_bytes(first, text.len()))
            }
            Value::Binary(_) => None,
        };
        Ok(keys.iter().map(beginning).collect())
    }

    async fn bookings_of_service(
        &self,
        id: &ServiceId,
    ) -> Result<Vec<(String, BookingId)>, StoreError> {
        let state = self.state();
        let bookings = state.service(id).map(|held| held.bookings.clone());
        Ok(bookings.unwrap_or_default())
    }
}
