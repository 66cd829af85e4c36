//! The store of the catalog entries that operators make at run time.

use async_trait::async_trait;

use crate::model::{CatalogChange, CatalogChangeResult, StoreError, StoredCatalog};
use crate::store::Clock;

/// The store of the entries that operators make at run time.
#[async_trait]
pub trait CatalogStore: Clock {
    /// Returns the version of the stored catalog; empty if nothing was ever stored.
    async fn catalog_version(&self) -> Result<String, StoreError>;

    /// Reads all stored and retired entries.
    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError>;

    /// Applies a change and notifies all replicas.
    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError>;

    /// Returns after a notification that the catalog may have changed. Notifications can be lost.
    async fn catalog_changed(&self);
}
