//! Checks whether this replica should receive requests: on request, and once per second so that every change is
//! logged.

use std::{sync::Arc, time::Duration};

use tokio::time;

use super::CurrentCatalog;
use crate::{
    model::readiness::{Finding, Readiness, Reason, Status},
    store::{AdminStore, Store},
};

/// The interval of the background check.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the readiness of the replica, given its `store` and `catalog`.
pub(super) async fn check_readiness(
    store: &dyn Store,
    catalog: &CurrentCatalog,
    readiness: &Readiness,
) -> Status {
    // A replica that shuts down does not wait for the store.
    if readiness.is_draining() {
        return readiness.assess(Vec::new());
    }
    let mut findings = match store.check_health().await {
        Ok(findings) => findings,
        Err(error) => vec![error.to_finding()],
    };
    if !catalog.load().is_complete() {
        findings.push(Finding::new(Reason::Starting, ""));
    }
    readiness.assess(findings)
}

/// Checks the readiness periodically, for as long as it is polled.
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
