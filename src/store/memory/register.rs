//! What operators made, in the embedded store.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{
    CatalogChange, CatalogChanged, Moment, PastEvent, REPLICA_LOST_AFTER, Register, RetiredEntry,
    Step, StoreError, StoredCatalog, StoredEntry,
};

/// What operators made, what they did, and who is up.
#[derive(Default)]
pub(super) struct Kept {
    catalog: StoredCatalog,
    events: VecDeque<PastEvent>,
    next_place: u64,
    replicas: BTreeMap<String, (Moment, String)>,
}

impl Kept {
    fn note(&mut self, event: &str, most: usize) {
        self.events.push_front(PastEvent {
            place: format!("{:016}", self.next_place),
            text: event.to_owned(),
        });
        self.next_place += 1;
        self.events.truncate(most);
    }

    fn change(&mut self, change: &CatalogChange) -> CatalogChanged {
        let catalog = &mut self.catalog;
        if catalog.version != change.from {
            return CatalogChanged::Superseded;
        }
        for step in &change.steps {
            match step {
                Step::Put(name, text) => {
                    let (revision, text) = (change.to.clone(), text.clone());
                    catalog
                        .entries
                        .insert(name.clone(), StoredEntry { revision, text });
                    catalog.retired.remove(name);
                }
                Step::Retire(name) => {
                    if let Some(StoredEntry { text, .. }) = catalog.entries.remove(name) {
                        let since = change.at;
                        catalog
                            .retired
                            .insert(name.clone(), RetiredEntry { since, text });
                    }
                }
                Step::Forget(name) => drop(catalog.retired.remove(name)),
            }
        }
        catalog.version.clone_from(&change.to);
        for event in &change.events {
            self.note(event, change.history);
        }
        CatalogChanged::Done
    }
}

#[async_trait]
impl Register for MemoryStore {
    async fn catalog_version(&self) -> Result<String, StoreError> {
        Ok(self.state().kept.catalog.version.clone())
    }

    async fn stored_catalog(&self) -> Result<StoredCatalog, StoreError> {
        Ok(self.state().kept.catalog.clone())
    }

    async fn change_catalog(&self, change: &CatalogChange) -> Result<CatalogChanged, StoreError> {
        let changed = self.state().kept.change(change);
        self.changed.notify_one();
        Ok(changed)
    }

    async fn told_of_change(&self) {
        self.changed.notified().await;
    }

    async fn note(&self, event: &str, most: usize) -> Result<(), StoreError> {
        self.state().kept.note(event, most);
        Ok(())
    }

    async fn history(
        &self,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<PastEvent>, StoreError> {
        let state = self.state();
        let events = state.kept.events.iter();
        let events = events.filter(|event| before.is_none_or(|before| *event.place < *before));
        Ok(events.take(most).cloned().collect())
    }

    async fn announce(&self, replica: &str, told: &str) -> Result<(), StoreError> {
        let entry = (self.clock.now(), told.to_owned());
        self.state().kept.replicas.insert(replica.to_owned(), entry);
        Ok(())
    }

    async fn withdraw(&self, replica: &str) -> Result<(), StoreError> {
        self.state().kept.replicas.remove(replica);
        Ok(())
    }

    async fn replicas(&self) -> Result<Vec<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let replicas = &mut state.kept.replicas;
        replicas.retain(|_, (seen, _)| now.since(*seen) < REPLICA_LOST_AFTER);
        Ok(replicas.values().map(|(_, told)| told.clone()).collect())
    }
}
