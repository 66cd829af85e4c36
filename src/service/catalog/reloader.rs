//! Keeps the catalogue in force as operators make it.
//!
//! The store tells of a change at once; such a message may be lost, so the version is looked at every few
//! seconds as well. While it is not known yet what operators made, it is looked at more often: until then
//! nobody is let in, for it is not known who may be.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time};
use tracing::{debug, info, warn};

use super::{Catalog, CatalogContext, CurrentCatalog, LostCatalog, retired_ttl};
use crate::{
    store::{CatalogStore, StoreError, StoredCatalog, Timestamp},
    telemetry::metrics::set_catalog_entries_lost,
};

/// How often it is looked at what operators made, until it is known.
const INITIAL_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Puts what operators make in force.
pub struct CatalogReloader {
    file: Arc<Catalog>,
    context: CatalogContext,
    current: CurrentCatalog,
    poll_interval: Duration,
    /// When some deleted entry need no longer be kept in mind.
    purge_at: Option<Timestamp>,
}

impl CatalogReloader {
    /// Keeps `in_force` what the file says, which is `file`, and what operators make; looks at its version
    /// this often.
    #[must_use]
    pub fn new(
        file: Arc<Catalog>,
        rules: CatalogContext,
        in_force: CurrentCatalog,
        every: Duration,
    ) -> Self {
        Self {
            file,
            context: rules,
            current: in_force,
            poll_interval: every,
            purge_at: None,
        }
    }

    /// Looks for as long as it is polled.
    pub async fn run(mut self, store: Arc<dyn CatalogStore>) {
        let mut failing = false;
        loop {
            let looked = self.poll(&*store).await;
            match (&looked, failing) {
                (Err(error), false) => warn!(%error, "it cannot be seen what operators made"),
                (Err(error), true) => debug!(%error, "it still cannot be seen what operators made"),
                (Ok(()), true) => info!("it is seen again what operators made"),
                (Ok(()), false) => {}
            }
            failing = looked.is_err();
            let known = self.current.load().is_complete();
            let pause = if known {
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

    /// Looks once whether there is something new.
    ///
    /// # Errors
    /// What the store says; what was in force stays so.
    pub async fn poll(&mut self, store: &dyn CatalogStore) -> Result<(), StoreError> {
        let (version, now) = (store.catalog_version().await?, store.now()?);
        let before = self.current.load();
        let forgets = self.purge_at.is_some_and(|at| at < now);
        if before.version() == Some(version.as_str()) && !forgets {
            return Ok(());
        }
        let stored = store.read_catalog().await?;
        self.purge_at = self.next_purge(&stored, now);
        let (file, rules) = (Arc::clone(&self.file), self.context.clone());
        // A large catalogue takes a while, in which this thread has other work.
        let understood = spawn_blocking(move || {
            let catalog = file.with_stored(&stored, &BTreeSet::new(), &rules, now);
            (catalog, stored)
        });
        let understood = understood.await;
        let understood = understood.map_err(|error| StoreError::Bug(error.to_string()));
        let (catalog, stored) = understood?;
        for ((table, name), problem) in catalog.problems() {
            let table = table.name();
            warn!(
                table,
                name, problem, "what an operator made cannot be used here"
            );
        }
        catalog.log_new_warnings(&before);
        if before.version() != catalog.version() && !stored.version.is_empty() {
            let (version, entries) = (&stored.version, stored.entries.len());
            info!(version, entries, "what operators made is in force");
        }
        self.detect_loss(stored, now);
        self.current.replace(catalog);
        Ok(())
    }

    /// Keeps what the store has, and what it had before where it has lost that.
    fn detect_loss(&self, stored: StoredCatalog, at: Timestamp) {
        let (known, before) = (self.current.lost(), self.current.stored());
        let lost = LostCatalog::detect(known.as_deref(), before.as_ref(), &stored, at);
        let entries = lost.as_ref().map_or(0, LostCatalog::missing_count);
        match (&known, &lost) {
            (None, Some(lost)) => warn!(
                entries,
                version = lost.version(),
                now = stored.version,
                "catalog entries lost: the store has an older catalog than this replica, which keeps its \
                 copy for POST /genesys/1/admin/catalog/restore"
            ),
            (Some(_), None) => info!("lost catalog entries restored"),
            _ => {}
        }
        set_catalog_entries_lost(entries);
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
