//! Which replicas use the stored catalog.

use super::Admin;
use crate::model::StoreError;

/// How many replicas use the stored catalog, by their last heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogActivation {
    /// Whether this replica does.
    pub is_active_here: bool,
    /// The replicas that do, this one included.
    pub active: usize,
    /// All running replicas.
    pub replicas: usize,
}

impl Admin {
    /// Which replicas use the current version of the stored catalog. A replica sends a heartbeat when its catalog changes.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn catalog_activation(&self) -> Result<CatalogActivation, StoreError> {
        let version = self.store.catalog_version().await?;
        let replicas = self.replicas().await?;
        let own = &self.context.own_replica.id;
        let others = replicas.iter().filter(|replica| replica.id != *own);
        let others: Vec<bool> = others
            .map(|replica| replica.catalog_version.as_ref() == Some(&version))
            .collect();
        let catalog = self.context.current_catalog.load();
        let is_active_here = catalog.version() == Some(version.as_str());
        let active = others.iter().filter(|is_active| **is_active).count();
        Ok(CatalogActivation {
            is_active_here,
            active: active + usize::from(is_active_here),
            replicas: others.len() + 1,
        })
    }
}
