//! Services by their end, and bookings, in the embedded store.

use async_trait::async_trait;

use super::{MemoryStore, books::Books};
use crate::store::{
    Beginning, BookingId, KeyName, ListedBooking, ListedService, Overview, Page, Place, Pool,
    ServiceId, StoreError, Value,
};

/// What stands behind `after`, `most` at most; `place` is where an entry stands.
fn page<T>(
    mut entries: Vec<T>,
    after: Option<&Place>,
    most: usize,
    place: impl Fn(&T) -> Place,
) -> Page<T> {
    entries.retain(|entry| after.is_none_or(|after| place(entry) > *after));
    entries.sort_by_key(&place);
    let more = entries.len() > most;
    entries.truncate(most);
    let next = entries.last().filter(|_| more).map(place);
    Page { entries, next }
}

#[async_trait]
impl Overview for MemoryStore {
    async fn count_services(&self) -> Result<u64, StoreError> {
        Ok(self.state().services.len() as u64)
    }

    async fn services_by_end(
        &self,
        after: Option<&Place>,
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
        let place = |service: &ListedService| Place {
            end: service.end,
            name: service.id.as_str().to_owned(),
        };
        Ok(page(services.collect(), after, most, place))
    }

    async fn fills_of(&self, groups: &[&str]) -> Result<Vec<Pool>, StoreError> {
        let state = self.state();
        let books = groups.iter().map(|group| state.books.get(*group));
        let fills = books.map(|books| books.map_or(Pool { size: 0, free: 0 }, Books::fill));
        Ok(fills.collect())
    }

    async fn bookings_by_end(
        &self,
        group: &str,
        after: Option<&Place>,
        most: usize,
    ) -> Result<Page<ListedBooking>, StoreError> {
        let state = self.state();
        let listed = state.books.get(group).map(|books| books.listed().collect());
        let place = |booking: &ListedBooking| Place {
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
        let books = state.books.get(group);
        let bookings = books.map(|books| books.of(subscriber).take(most).collect());
        Ok(bookings.unwrap_or_default())
    }

    async fn booking(
        &self,
        group: &str,
        id: &BookingId,
    ) -> Result<Option<ListedBooking>, StoreError> {
        let state = self.state();
        Ok(state.books.get(group).and_then(|books| books.get(id)))
    }

    async fn beginnings(
        &self,
        id: &ServiceId,
        keys: &[KeyName],
        most: usize,
    ) -> Result<Vec<Option<Beginning>>, StoreError> {
        let state = self.state();
        let held = state.service(id);
        let beginning = |key| match held?.get(key)? {
            Value::Text(text) => {
                let first = text.bytes().take(most).collect();
                Some(Beginning::of(first, text.len()))
            }
            Value::Binary(_) => None,
        };
        Ok(keys.iter().map(beginning).collect())
    }

    async fn bookings_for(&self, id: &ServiceId) -> Result<Vec<(String, BookingId)>, StoreError> {
        let state = self.state();
        let bookings = state.service(id).map(|held| held.bookings.clone());
        Ok(bookings.unwrap_or_default())
    }
}
