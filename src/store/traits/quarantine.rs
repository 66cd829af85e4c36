//! Quarantined numbers of resource groups.

use async_trait::async_trait;

use crate::model::{AccessNumber, Group, QuarantinedNumber, StoreError};

/// The store of quarantined numbers. A quarantine ends by [`end_quarantine`](Self::end_quarantine), or when the number is
/// removed from the group or the group is deleted. Other changes of the group do not affect it.
#[async_trait]
pub trait QuarantineStore: Send + Sync {
    /// Quarantines a number: from now on no replica books it. Its bookings remain and can be matched; their release does
    /// not make it free. An existing quarantine remains as it is. Returns whether the group has the number.
    async fn quarantine_number(
        &self,
        group: &Group,
        number: &AccessNumber,
        by: &str,
    ) -> Result<bool, StoreError>;

    /// Ends the quarantine of a number. The number becomes free, in an exclusive group only if it has no booking. Returns
    /// whether it was quarantined.
    async fn end_quarantine(
        &self,
        group: &Group,
        number: &AccessNumber,
    ) -> Result<bool, StoreError>;

    /// Returns all quarantined numbers of a group, in no particular order.
    async fn quarantined_numbers(&self, group: &str) -> Result<Vec<QuarantinedNumber>, StoreError>;
}
