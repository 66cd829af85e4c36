//! The list of active services, in the order of their expiration.

use async_trait::async_trait;

use crate::model::{ListedService, ServiceId, ServicePage, ServiceQuery, StoreError};
use crate::store::Clock;

/// The store's list of active services, for operators.
#[async_trait]
pub trait ServiceList: Clock {
    /// Returns the approximate number of active services: services that are being created or have just
    /// ended may be included.
    async fn count_services(&self) -> Result<u64, StoreError>;

    /// Lists the active services that match `query` in the order of their expiration. It reads at most
    /// `query.max_searched` entries of the list, some of which may have just ended, and stops when the page
    /// has `query.limit` services.
    async fn services_by_end(&self, query: &ServiceQuery) -> Result<ServicePage, StoreError>;

    /// Returns the active ones of these services, in this order.
    async fn services_by_id(&self, ids: &[ServiceId]) -> Result<Vec<ListedService>, StoreError>;
}
