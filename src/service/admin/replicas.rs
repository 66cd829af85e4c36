//! Running replicas and their heartbeats.

use std::time::Duration;

use gethostname::gethostname;
use tokio::time::{self, timeout};
use tracing::debug;
use uuid::Uuid;

use super::{
    Admin, AdminError, StoreStatus,
    replica::Replica,
    replica_stats::{ReplicaStats, StatsSampler},
};
use crate::{service::CurrentCatalog, settings::VERSION, store::ReplicaStore};

/// The interval between heartbeats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The delay of the second heartbeat, the first with statistics.
const INITIAL_HEARTBEAT_DELAY: Duration = Duration::from_secs(1);
/// How long a replica waits for its deregistration at shutdown.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);

impl Replica {
    /// The replica of this process.
    #[must_use]
    pub fn current(address: String, private_address: Option<String>) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            version: VERSION.to_owned(),
            host: gethostname().to_string_lossy().into_owned(),
            address,
            private_address,
            started_at: String::new(),
            catalog_version: None,
            stats: ReplicaStats::default(),
        }
    }

    /// Sends heartbeats for as long as it is polled: every few seconds, and when the catalog changes.
    pub async fn send_heartbeats(
        mut self,
        store: &dyn ReplicaStore,
        current_catalog: &CurrentCatalog,
        status: &StoreStatus,
        mut sampler: StatsSampler,
    ) {
        let started = time::Instant::now();
        let mut version = current_catalog.subscribe_version();
        let mut pause = INITIAL_HEARTBEAT_DELAY;
        loop {
            self.catalog_version
                .clone_from(&version.borrow_and_update());
            self.stats = sampler.sample();
            if self.started_at.is_empty()
                && let Ok(now) = store.now()
            {
                self.started_at = now.before(started.elapsed()).to_string();
            }
            let heartbeat = serde_json::to_string(&self).unwrap_or_default();
            status.set_own_replica(&self);
            let sent = store.heartbeat(&self.id, &heartbeat).await;
            status.record(&sent);
            if let Err(error) = sent {
                debug!(%error, "heartbeat not sent");
            }
            // The sender outlives this task, so the wait ends by a change or by the timeout.
            drop(timeout(pause, version.changed()).await);
            pause = HEARTBEAT_INTERVAL;
            time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Deregisters the replica. If this fails, its heartbeat expires.
pub async fn deregister(replica: &str, store: &dyn ReplicaStore) {
    if !matches!(
        timeout(DEREGISTER_TIMEOUT, store.deregister(replica)).await,
        Ok(Ok(()))
    ) {
        debug!("replica not deregistered; its heartbeat expires");
    }
}

impl Admin {
    /// The running replicas.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn replicas(&self) -> Result<Vec<Replica>, AdminError> {
        let heartbeats = self.store.replicas().await?;
        // Heartbeats of later versions that cannot be parsed are skipped.
        let replicas = heartbeats
            .iter()
            .filter_map(|heartbeat| serde_json::from_str(heartbeat).ok());
        Ok(replicas.collect())
    }
}
