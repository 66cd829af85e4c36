//! Reloads the current catalog when the stored catalog changes.
//!
//! The store publishes changes. As messages can be lost, the version is also polled every few seconds, and more often
//! until the first read: until then requests are rejected, because the required credentials are unknown.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time};
use tracing::{debug, info, warn};

use super::{Catalog, CatalogContext, CurrentCatalog, LostCatalog, retired_ttl};
use crate::{
    model::{StoreError, StoredCatalog, Timestamp},
    store::CatalogStore,
};

/// The poll interval until the stored catalog is loaded.
const INITIAL_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Reloads the current catalog.
pub struct CatalogReloader {
    file: Arc<Catalog>,
    context: CatalogContext,
    current: CurrentCatalog,
    poll_interval: Duration,
    /// When the next retired entry expires.
    purge_at: Option<Timestamp>,
    /// When the stored catalog was read last.
    read_at: Timestamp,
}

impl CatalogReloader {
    /// Keeps `current` up to date with `file`, the catalog of the file, and the stored catalog, whose version is
    /// polled.
    #[must_use]
    pub fn new(
        file: Arc<Catalog>,
        context: CatalogContext,
        current: CurrentCatalog,
        poll_interval: Duration,
    ) -> Self {
        Self {
            file,
            context,
            current,
            poll_interval,
            purge_at: None,
            read_at: Timestamp::default(),
        }
    }

    /// Polls the store for as long as this future is polled.
    pub async fn run(mut self, store: Arc<dyn CatalogStore>) {
        let mut failing = false;
        loop {
            let result = self.poll(&*store).await;
            match (&result, failing) {
                (Err(error), false) => warn!(%error, "catalog reload failed"),
                (Err(error), true) => debug!(%error, "catalog reload still failing"),
                (Ok(()), true) => info!("catalog reload recovered"),
                (Ok(()), false) => {}
            }
            failing = result.is_err();
            let is_loaded = self.current.load().is_complete();
            let pause = if is_loaded {
                self.poll_interval
            } else {
                self.poll_interval.min(INITIAL_POLL_INTERVAL)
            };
            tokio::select! {
                () = store.catalog_changed() => {}
                () = self.current.reload_requested() => {}
                () = time::sleep(pause) => {}
            }
        }
    }

    /// Polls once and reloads the catalog if it has changed.
    ///
    /// # Errors
    /// Errors of the store. The current catalog does not change.
    pub async fn poll(&mut self, store: &dyn CatalogStore) -> Result<(), StoreError> {
        let (version, now) = (store.catalog_version().await?, store.now()?);
        let before = self.current.load();
        let needs_purge = self.purge_at.is_some_and(|at| at < now);
        if before.version() == Some(version.as_str()) && !needs_purge {
            return Ok(());
        }
        let stored = store.read_catalog().await?;
        self.purge_at = self.next_purge(&stored, now);
        let (file, context) = (Arc::clone(&self.file), self.context.clone());
        // Validation of a large catalog takes time, so it must not block the worker.
        let parsed = spawn_blocking(move || {
            let catalog = file.with_stored(&stored, &BTreeSet::new(), &context, now);
            (catalog, stored)
        });
        let parsed = parsed.await;
        let parsed = parsed.map_err(|error| StoreError::Bug(error.to_string()));
        let (catalog, stored) = parsed?;
        for ((table, name), problem) in catalog.problems() {
            let (table, problem) = (table.name(), problem.to_string());
            warn!(table, name, problem, "stored catalog entry unusable");
        }
        catalog.log_new_warnings(&before);
        if before.version() != catalog.version() && !stored.version.is_empty() {
            let (version, entries) = (&stored.version, stored.entries.len());
            info!(version, entries, "stored catalog loaded");
        }
        self.detect_loss(stored, now);
        self.current.replace(catalog);
        Ok(())
    }

    /// Stores the catalog that was read, and detects whether the store has lost entries.
    fn detect_loss(&mut self, stored: StoredCatalog, at: Timestamp) {
        let (known_loss, before) = (self.current.lost(), self.current.stored());
        let (known_loss, before) = (known_loss.as_deref(), before.as_deref());
        let lost = LostCatalog::detect(known_loss, before, self.read_at, &stored, at);
        self.read_at = at;
        let entries = lost.as_ref().map_or(0, LostCatalog::missing_count);
        match (known_loss, &lost) {
            (_, Some(lost)) if lost.exceeds(known_loss) => warn!(
                entries,
                version = before.map(|before| &before.version),
                now = stored.version,
                "catalog entries lost: the store has an older catalog than this replica, which keeps its \
                 copy for POST /genesys/1/admin/catalog/restore"
            ),
            (Some(_), None) => info!("lost catalog entries restored"),
            _ => {}
        }
        self.current.set_stored(Arc::new(stored), lost);
    }

    fn next_purge(&self, stored: &StoredCatalog, now: Timestamp) -> Option<Timestamp> {
        let ends = stored
            .retired
            .iter()
            .map(|((table, _), entry)| entry.since.after(retired_ttl(*table, &self.context)));
        ends.filter(|end| *end >= now).min()
    }
}
