//! Stored catalog entries in the embedded store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{
        CatalogChange, CatalogChangeResult, CatalogStep, RetiredEntry, StoreError, StoredCatalog,
        StoredEntry,
    },
    store::CatalogStore,
};

impl StoredCatalog {
    /// Applies `change`, unless it is based on another version.
    fn apply(&mut self, change: &CatalogChange) -> CatalogChangeResult {
        if self.version != change.from {
            return CatalogChangeResult::Superseded;
        }
        for step in &change.steps {
            match step {
                CatalogStep::Put(name, text) => {
                    let (revision, text) = (change.to.clone(), text.clone());
                    self.entries
                        .insert(name.clone(), StoredEntry { revision, text });
                    self.retired.remove(name);
                }
                CatalogStep::Retire(name) => {
                    if let Some(StoredEntry { text, .. }) = self.entries.remove(name) {
                        let since = change.changed_at;
                        self.retired
                            .insert(name.clone(), RetiredEntry { since, text });
                    }
                }
                CatalogStep::Forget(name) => drop(self.retired.remove(name)),
            }
        }
        self.version.clone_from(&change.to);
        CatalogChangeResult::Applied
    }
}

#[async_trait]
impl CatalogStore for MemoryStore {
    async fn catalog_version(&self) -> Result<String, StoreError> {
        Ok(self.state().catalog.version.clone())
    }

    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError> {
        Ok(self.state().catalog.clone())
    }

    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError> {
        let mut state = self.state();
        let result = state.catalog.apply(change);
        if result == CatalogChangeResult::Applied {
            for event in &change.events {
                state.audit_log.append(event, change.history);
            }
        }
        drop(state);
        self.catalog_changed.notify_one();
        Ok(result)
    }

    async fn catalog_changed(&self) {
        self.catalog_changed.notified().await;
    }
}
