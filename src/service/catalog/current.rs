//! The current catalog of this process, shared by all workers and replaced atomically.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};

use super::{Catalog, LostCatalog};
use crate::model::{Groups, StoredCatalog};

/// The current catalog. Reading it takes no lock and no shared reference count.
#[derive(Clone)]
pub struct CurrentCatalog(Arc<Inner>);

struct Inner {
    catalog: ArcSwap<Catalog>,
    groups: watch::Sender<Groups>,
    version: watch::Sender<Option<String>>,
    /// The stored catalog that was read last.
    stored: ArcSwapOption<StoredCatalog>,
    /// The catalog that the store has lost.
    lost: ArcSwapOption<LostCatalog>,
    /// Triggers an immediate poll of the reloader.
    reload: Notify,
}

impl CurrentCatalog {
    /// Starts with `catalog`.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self(Arc::new(Inner {
            groups: watch::Sender::new(catalog.groups()),
            version: watch::Sender::new(catalog.version().map(str::to_owned)),
            catalog: ArcSwap::new(catalog),
            stored: ArcSwapOption::empty(),
            lost: ArcSwapOption::empty(),
            reload: Notify::new(),
        }))
    }

    /// A snapshot of the current catalog.
    #[must_use]
    pub fn load(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    /// Whether requests on services need authentication.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        self.0.catalog.load().requires_auth()
    }

    /// Subscribes to the resource groups.
    #[must_use]
    pub fn subscribe_groups(&self) -> watch::Receiver<Groups> {
        self.0.groups.subscribe()
    }

    /// Subscribes to the version of the included stored catalog.
    #[must_use]
    pub fn subscribe_version(&self) -> watch::Receiver<Option<String>> {
        self.0.version.subscribe()
    }

    /// The stored catalog that was read last; `None` before the first read.
    #[must_use]
    pub fn stored(&self) -> Option<Arc<StoredCatalog>> {
        self.0.stored.load_full()
    }

    /// The catalog that the store has lost and this replica can restore.
    #[must_use]
    pub(in crate::service) fn lost(&self) -> Option<Arc<LostCatalog>> {
        self.0.lost.load_full()
    }

    /// The number of entries that the store has lost and this replica can restore.
    #[must_use]
    pub fn lost_entries(&self) -> usize {
        self.lost().map_or(0, |lost| lost.missing_count())
    }

    pub(super) fn set_stored(&self, stored: Arc<StoredCatalog>, lost: Option<LostCatalog>) {
        self.0.lost.store(lost.map(Arc::new));
        self.0.stored.store(Some(stored));
    }

    pub(super) fn replace(&self, catalog: Catalog) {
        let (groups, version) = (catalog.groups(), catalog.version().map(str::to_owned));
        self.0.catalog.store(Arc::new(catalog));
        self.0.groups.send_replace(groups);
        self.0.version.send_replace(version);
    }

    /// Triggers an immediate poll of the reloader, and waits until the version of the catalog is not `before`.
    pub(in crate::service) async fn reload_and_wait_for_change(&self, before: &str) {
        self.0.reload.notify_one();
        let mut version = self.0.version.subscribe();
        let changed = version.wait_for(|version| version.as_deref() != Some(before));
        // The sender is a member of self, so it cannot be dropped.
        drop(changed.await);
    }

    pub(super) async fn reload_requested(&self) {
        self.0.reload.notified().await;
    }
}
