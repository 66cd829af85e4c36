//! Actions of operators on several services, bookings or numbers.

use std::cell::Cell;

use futures_util::{StreamExt, stream};

use super::{Actor, Admin, AdminError};
use crate::{
    model::{ServiceId, StoreError},
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
    /// Those that did not exist any more.
    pub gone: Vec<T>,
    /// Those whose change failed or was not attempted, each with the error. After a timeout of the store, the change may
    /// have been made.
    pub failed: Vec<(T, AdminError)>,
}

impl<T> Default for BulkResult<T> {
    fn default() -> Self {
        Self {
            done: Vec::new(),
            gone: Vec::new(),
            failed: Vec::new(),
        }
    }
}

impl<T> BulkResult<T> {
    fn add(&mut self, object: T, result: Result<(), AdminError>) {
        match result {
            Ok(()) => self.done.push(object),
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
    /// Sets the expiration time of services, of at most [`MAX_SELECTED`].
    ///
    /// # Errors
    /// An invalid time in `form`; errors of single services are in the result.
    pub async fn set_service_ends(
        &self,
        ids: Vec<ServiceId>,
        form: &FormData,
        by: &Actor,
    ) -> Result<BulkResult<ServiceId>, AdminError> {
        self.services.requested_end(form)?;
        let set_end = async |id: &ServiceId| self.set_service_end(id, form, by).await;
        Ok(for_each(ids, set_end).await)
    }

    /// Ends services, at most [`MAX_SELECTED`].
    pub async fn delete_services(&self, ids: Vec<ServiceId>, by: &Actor) -> BulkResult<ServiceId> {
        for_each(ids, async |id: &ServiceId| {
            self.delete_service(id, by).await
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
            self.release_number(group, booking, by).await
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

    /// Ends the quarantine of numbers of a group, at most [`MAX_SELECTED`]. Those without one are done.
    pub async fn end_quarantines(
        &self,
        group: &str,
        numbers: Vec<String>,
        by: &Actor,
    ) -> BulkResult<String> {
        let end = async |number: &String| match self.end_quarantine(group, number, by).await {
            Err(AdminError::NotQuarantined(..)) => Ok(()),
            result => result,
        };
        for_each(numbers, end).await
    }
}

/// Changes each object, some concurrently. Those beyond [`MAX_SELECTED`] are not changed, nor those after an error of the
/// store: it is probably unavailable.
async fn for_each<T>(
    objects: Vec<T>,
    change: impl AsyncFn(&T) -> Result<(), AdminError>,
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
            0 => Ok(()),
            1 => Err(ServiceError::NoSuchService(ServiceId::from("x".to_owned())).into()),
            _ => Err(AdminError::Invalid("wrong".to_owned())),
        };
        let result = for_each(vec![0, 1, 2, 0], change).await;
        assert_eq!((result.done, result.gone), (vec![0, 0], vec![1]));
        assert_eq!((result.failed.len(), result.failed[0].0), (1, 2));
        let result = for_each(vec![0; MAX_SELECTED + 1], async |_| Ok(())).await;
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
