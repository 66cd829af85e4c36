//! The catalogue that is in force in this process, shared by all workers, and swapped when it changes.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};

use super::{Catalog, LostCatalog};
use crate::store::{self, StoredCatalog};

/// The catalogue in force. Taking a look costs no lock and no count that workers share.
#[derive(Clone)]
pub struct CurrentCatalog(Arc<Inner>);

struct Inner {
    catalog: ArcSwap<Catalog>,
    groups: watch::Sender<store::Groups>,
    version: watch::Sender<Option<String>>,
    /// What the store had when it was last read.
    stored: ArcSwapOption<StoredCatalog>,
    /// What it has lost.
    lost: ArcSwapOption<LostCatalog>,
    /// Has the keeper look at once.
    reload: Notify,
}

impl CurrentCatalog {
    /// `catalog` to begin with.
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

    /// The catalogue as it is now. Whoever goes on with it goes on with this one.
    #[must_use]
    pub fn load(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    /// Whether somebody is to be looked at before a request on an id may pass.
    #[must_use]
    pub fn requires_auth(&self) -> bool {
        self.0.catalog.load().requires_auth()
    }

    /// The resource groups, as they change.
    #[must_use]
    pub fn subscribe_groups(&self) -> watch::Receiver<store::Groups> {
        self.0.groups.subscribe()
    }

    /// Which version of what operators made is in force, as it changes.
    #[must_use]
    pub fn subscribe_version(&self) -> watch::Receiver<Option<String>> {
        self.0.version.subscribe()
    }

    /// What the store had when it was last read; `None` before that.
    #[must_use]
    pub fn stored(&self) -> Option<Arc<StoredCatalog>> {
        self.0.stored.load_full()
    }

    /// What the store has lost and this replica still knows.
    #[must_use]
    pub(in crate::service) fn lost(&self) -> Option<Arc<LostCatalog>> {
        self.0.lost.load_full()
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

    /// Has the keeper look at once, and returns when the catalogue is another one than of the version
    /// `before`.
    pub(in crate::service) async fn reload_and_wait_for_change(&self, before: &str) {
        self.0.reload.notify_one();
        let mut version = self.0.version.subscribe();
        let other = version.wait_for(|version| version.as_deref() != Some(before));
        // The sender is in here, so it cannot be gone.
        drop(other.await);
    }

    pub(super) async fn reload_requested(&self) {
        self.0.reload.notified().await;
    }
}
