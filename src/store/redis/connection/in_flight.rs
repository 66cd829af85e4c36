//! The limit of concurrent operations.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::model::StoreError;

/// Counts one operation in flight.
pub(super) struct InFlightPermit<'a>(&'a AtomicUsize);

impl<'a> InFlightPermit<'a> {
    /// Counts an operation until the permit is dropped.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if `max` operations are in flight already.
    pub(super) fn acquire(counter: &'a AtomicUsize, max: usize) -> Result<Self, StoreError> {
        let in_flight = counter.fetch_add(1, Relaxed);
        let permit = Self(counter);
        if in_flight < max {
            return Ok(permit);
        }
        Err(StoreError::Busy(in_flight))
    }
}

impl Drop for InFlightPermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
