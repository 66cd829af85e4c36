//! What operators made, in the embedded store.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{
    AuditEvent, CatalogChange, CatalogChangeResult, CatalogStep, CatalogStore, REPLICA_TIMEOUT,
    RetiredEntry, StoreError, StoredCatalog, StoredEntry, Timestamp,
};

/// What operators made, what they did, and who is up.
#[derive(Default)]
pub(super) struct CatalogTables {
    catalog: StoredCatalog,
    events: VecDeque<AuditEvent>,
    next_event_id: u64,
    replicas: BTreeMap<String, (Timestamp, String)>,
}

impl CatalogTables {
    fn append_audit_event(&mut self, event: &str, most: usize) {
        self.events.push_front(AuditEvent {
            id: format!("{:016}", self.next_event_id),
            text: event.to_owned(),
        });
        self.next_event_id += 1;
        self.events.truncate(most);
    }

    fn apply_change(&mut self, change: &CatalogChange) -> CatalogChangeResult {
        let catalog = &mut self.catalog;
        if catalog.version != change.from {
            return CatalogChangeResult::Superseded;
        }
        for step in &change.steps {
            match step {
                CatalogStep::Put(name, text) => {
                    let (revision, text) = (change.to.clone(), text.clone());
                    catalog
                        .entries
                        .insert(name.clone(), StoredEntry { revision, text });
                    catalog.retired.remove(name);
                }
                CatalogStep::Retire(name) => {
                    if let Some(StoredEntry { text, .. }) = catalog.entries.remove(name) {
                        let since = change.changed_at;
                        catalog
                            .retired
                            .insert(name.clone(), RetiredEntry { since, text });
                    }
                }
                CatalogStep::Forget(name) => drop(catalog.retired.remove(name)),
            }
        }
        catalog.version.clone_from(&change.to);
        for event in &change.events {
            self.append_audit_event(event, change.history);
        }
        CatalogChangeResult::Applied
    }
}

#[async_trait]
impl CatalogStore for MemoryStore {
    async fn catalog_version(&self) -> Result<String, StoreError> {
        Ok(self.state().catalog_tables.catalog.version.clone())
    }

    async fn read_catalog(&self) -> Result<StoredCatalog, StoreError> {
        Ok(self.state().catalog_tables.catalog.clone())
    }

    async fn change_catalog(
        &self,
        change: &CatalogChange,
    ) -> Result<CatalogChangeResult, StoreError> {
        let changed = self.state().catalog_tables.apply_change(change);
        self.catalog_changed.notify_one();
        Ok(changed)
    }

    async fn catalog_changed(&self) {
        self.catalog_changed.notified().await;
    }

    async fn append_audit_event(&self, event: &str, most: usize) -> Result<(), StoreError> {
        self.state().catalog_tables.append_audit_event(event, most);
        Ok(())
    }

    async fn audit_events(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let state = self.state();
        let events = state.catalog_tables.events.iter();
        let events = events.filter(|event| before.is_none_or(|before| *event.id < *before));
        Ok(events.take(most).cloned().collect())
    }

    async fn heartbeat(&self, replica: &str, told: &str) -> Result<(), StoreError> {
        let entry = (self.clock.now(), told.to_owned());
        self.state()
            .catalog_tables
            .replicas
            .insert(replica.to_owned(), entry);
        Ok(())
    }

    async fn deregister(&self, replica: &str) -> Result<(), StoreError> {
        self.state().catalog_tables.replicas.remove(replica);
        Ok(())
    }

    async fn replicas(&self) -> Result<Vec<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let replicas = &mut state.catalog_tables.replicas;
        replicas.retain(|_, (seen, _)| now.since(*seen) < REPLICA_TIMEOUT);
        Ok(replicas.values().map(|(_, told)| told.clone()).collect())
    }
}
