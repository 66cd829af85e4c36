//! The health check.

use async_trait::async_trait;

use crate::model::{StoreError, readiness::Finding};

/// The check of whether the store serves requests.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// Checks whether the store serves requests, and returns the problems that it finds.
    async fn check_health(&self) -> Result<Vec<Finding>, StoreError>;
}
