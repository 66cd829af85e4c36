//! Actions of operators on several services, bookings or numbers.

use std::cell::Cell;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Actor, Admin, AdminError};
use crate::{
    model::{BookingId, Description, ListedBooking, ServiceId, StoreError, Timestamp},
    service::{FormData, ServiceError},
};

/// Maximum number of objects of one action.
pub const MAX_SELECTED: usize = 100;
/// Maximum number of changes that are made concurrently.
const MAX_CONCURRENT: usize = 8;

/// The result of an action on several objects, in their order.
#[derive(Debug)]
pub struct BulkResult<T> {
    /// Those that were changed.
    pub done: Vec<T>,
    /// Those that were in the requested state already.
    pub unchanged: Vec<T>,
    /// Those that did not exist any more.
    pub gone: Vec<T>,
    /// Those whose change failed or was not attempted, each with the error. After a timeout of the store, the change may
    /// have been made.
    pub failed: Vec<(T, AdminError)>,
}

/// What the store has of a selected service.
#[derive(Debug)]
pub enum FoundService {
    /// The service.
    Active(Description),
    /// It does not exist any more.
    Gone,
    /// A record that cannot be understood. Actions of operators read it first, so they fail.
    Unreadable,
}

impl<T> Default for BulkResult<T> {
    fn default() -> Self {
        Self {
            done: Vec::new(),
            unchanged: Vec::new(),
            gone: Vec::new(),
            failed: Vec::new(),
        }
    }
}

impl<T> BulkResult<T> {
    /// Adds the result of a change: whether the object was changed.
    fn add(&mut self, object: T, result: Result<bool, AdminError>) {
        match result {
            Ok(true) => self.done.push(object),
            Ok(false) | Err(AdminError::NotQuarantined(..)) => self.unchanged.push(object),
            Err(
                AdminError::Service(ServiceError::NoSuchService(_))
                | AdminError::NoSuchBooking { .. }
                | AdminError::NoSuchNumber(..)
                | AdminError::NoSuchEntry(..),
            ) => self.gone.push(object),
            Err(error) => self.failed.push((object, error)),
        }
    }
}

impl Admin {
    /// The descriptions of services, of at most [`MAX_SELECTED`], in their order.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store that are not about one record.
    pub async fn describe_services(
        &self,
        ids: &[ServiceId],
    ) -> Result<Vec<FoundService>, AdminError> {
        let describe = async |id: &ServiceId| match self.services.describe(id).await {
            Ok(description) => Ok(FoundService::Active(description)),
            Err(ServiceError::NoSuchService(_)) => Ok(FoundService::Gone),
            // Redis reports a key of another type as an error of the command.
            Err(ServiceError::Store(StoreError::Corrupt(_) | StoreError::Bug(_))) => {
                Ok(FoundService::Unreadable)
            }
            Err(error) => Err(error.into()),
        };
        read_each(ids, describe).await
    }

    /// Bookings, of which the group and the id are given, in their order; at most [`MAX_SELECTED`]. `None` for those that
    /// do not exist.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn find_bookings(
        &self,
        bookings: &[(String, String)],
    ) -> Result<Vec<Option<ListedBooking>>, AdminError> {
        let find = async |(group, booking): &(String, String)| {
            let id = BookingId::from(booking.clone());
            Ok(self.store.booking(group, &id).await?)
        };
        read_each(bookings, find).await
    }

    /// Sets the expiration time of services, of at most [`MAX_SELECTED`].
    ///
    /// # Errors
    /// An invalid time in `form`; errors of single services are in the result.
    pub async fn set_service_ends(
        &self,
        ids: Vec<ServiceId>,
        form: &FormData,
        by: &Actor,
    ) -> Result<(Timestamp, BulkResult<ServiceId>), AdminError> {
        let end = self.services.requested_end(form)?;
        let set_end = async |id: &ServiceId| {
            self.set_service_end_at(id, end, by).await?;
            Ok(true)
        };
        Ok((end, for_each(ids, set_end).await))
    }

    /// Ends services, at most [`MAX_SELECTED`].
    pub async fn delete_services(&self, ids: Vec<ServiceId>, by: &Actor) -> BulkResult<ServiceId> {
        for_each(ids, async |id: &ServiceId| {
            self.delete_service(id, by).await?;
            Ok(true)
        })
        .await
    }

    /// Releases bookings, at most [`MAX_SELECTED`]: group and id of each.
    pub async fn release_numbers(
        &self,
        bookings: Vec<(String, String)>,
        by: &Actor,
    ) -> BulkResult<(String, String)> {
        let release = async |(group, booking): &(String, String)| {
            self.release_number(group, booking, by).await?;
            Ok(true)
        };
        for_each(bookings, release).await
    }

    /// Quarantines numbers of a group, at most [`MAX_SELECTED`].
    pub async fn quarantine_numbers(
        &self,
        group: &str,
        numbers: Vec<String>,
        by: &Actor,
    ) -> BulkResult<String> {
        let quarantine = async |number: &String| self.quarantine_number(group, number, by).await;
        for_each(numbers, quarantine).await
    }

    /// Ends the quarantine of numbers of a group, at most [`MAX_SELECTED`].
    pub async fn end_quarantines(
        &self,
        group: &str,
        numbers: Vec<String>,
        by: &Actor,
    ) -> BulkResult<String> {
        let end = async |number: &String| {
            self.end_quarantine(group, number, by).await?;
            Ok(true)
        };
        for_each(numbers, end).await
    }
}

/// Reads each object, some concurrently.
async fn read_each<T, V>(
    objects: &[T],
    read: impl AsyncFn(&T) -> Result<V, AdminError>,
) -> Result<Vec<V>, AdminError> {
    let read = &read;
    let reads = objects.iter().take(MAX_SELECTED);
    let reads = reads.map(async |object| read(object).await);
    stream::iter(reads)
        .buffered(MAX_CONCURRENT)
        .try_collect()
        .await
}

/// Changes each object, some concurrently. Those beyond [`MAX_SELECTED`] are not changed, nor those after an error of the
/// store: it is probably unavailable.
async fn for_each<T>(
    objects: Vec<T>,
    change: impl AsyncFn(&T) -> Result<bool, AdminError>,
) -> BulkResult<T> {
    let (change, has_store_failed) = (&change, &Cell::new(false));
    let changes = objects.into_iter().take(MAX_SELECTED).map(async |object| {
        if has_store_failed.get() {
            let message = "not attempted after an error of the store".to_owned();
            return (object, Err(AdminError::Invalid(message)));
        }
        let result = change(&object).await;
        if let Err(AdminError::Service(ServiceError::Store(
            StoreError::Unavailable(_) | StoreError::Unknown(_),
        ))) = &result
        {
            has_store_failed.set(true);
        }
        (object, result)
    });
    let mut changes = stream::iter(changes).buffered(MAX_CONCURRENT);
    let mut all = BulkResult::default();
    while let Some((object, result)) = changes.next().await {
        all.add(object, result);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn results_are_sorted_by_their_outcome() {
        let change = async |n: &usize| match n {
            0 => Ok(true),
            3 => Ok(false),
            1 => Err(ServiceError::NoSuchService(ServiceId::from("x".to_owned())).into()),
            _ => Err(AdminError::Invalid("wrong".to_owned())),
        };
        let result = for_each(vec![0, 1, 2, 0, 3], change).await;
        assert_eq!((result.done, result.gone), (vec![0, 0], vec![1]));
        assert_eq!(result.unchanged, [3]);
        assert_eq!((result.failed.len(), result.failed[0].0), (1, 2));
        let result = for_each(vec![0; MAX_SELECTED + 1], async |_| Ok(true)).await;
        assert_eq!(result.done.len(), MAX_SELECTED);
    }

    #[tokio::test]
    async fn an_error_of_the_store_stops_further_changes() {
        let attempts = Cell::new(0);
        let change = async |_: &usize| {
            attempts.set(attempts.get() + 1);
            Err(AdminError::from(StoreError::Unavailable("gone".to_owned())))
        };
        let result = for_each((0..50).collect(), change).await;
        assert_eq!(result.failed.len(), 50);
        assert!(attempts.get() <= MAX_CONCURRENT, "{}", attempts.get());
    }
}
