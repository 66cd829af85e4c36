//! The consistency check.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{ConsistencyReport, Group, StoreError};

/// The check of bookings for inconsistencies.
#[async_trait]
pub trait ConsistencyCheck: Send + Sync {
    /// Checks the bookings of `groups` for orphaned and lost numbers and for leftovers of ended
    /// services. Reads all bookings and changes nothing.
    async fn check_consistency(
        &self,
        groups: &[Arc<Group>],
    ) -> Result<ConsistencyReport, StoreError>;
}
