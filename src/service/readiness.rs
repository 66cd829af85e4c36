//! Checks whether this replica should receive requests: for whoever asks, and once a second by itself, so
//! that the log has every change.

use std::{sync::Arc, time::Duration};

use tokio::time;

use super::CurrentCatalog;
use crate::{
    model::readiness::{Finding, Readiness, Reason, Status},
    store::{AdminStore, Store},
};

/// How often the readiness is checked when nobody asks.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the readiness of the replica, given its `store` and the `catalog` in force.
pub(super) async fn check_readiness(
    store: &dyn Store,
    catalog: &CurrentCatalog,
    readiness: &Readiness,
) -> Status {
    // What is about to stop does not wait for its store.
    if readiness.is_draining() {
        return readiness.assess(Vec::new());
    }
    let mut found = match store.check_health().await {
        Ok(found) => found,
        Err(error) => vec![error.to_finding()],
    };
    if !catalog.load().is_complete() {
        found.push(Finding::new(Reason::Starting, ""));
    }
    readiness.assess(found)
}

/// Checks the readiness again and again, for as long as it is polled.
pub async fn monitor_readiness(
    store: Arc<dyn AdminStore>,
    catalog: CurrentCatalog,
    readiness: Readiness,
) {
    let store: Arc<dyn Store> = store;
    loop {
        drop(check_readiness(&*store, &catalog, &readiness).await);
        time::sleep(CHECK_INTERVAL).await;
    }
}
