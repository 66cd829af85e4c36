//! Running replicas and their heartbeats.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{self, timeout},
};
use tracing::debug;

use super::{
    Admin, AdminContext, OwnReplica,
    replica::{Replica, ReplicaStatus},
    replica_stats::{ReplicaStats, StatsSampler},
};
use crate::{
    model::{ListedReplica, StatusRequest, StoreError},
    settings::VERSION,
    store::ReplicaStore,
};

/// The interval between heartbeats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The delay of the second heartbeat, the first with statistics.
const INITIAL_HEARTBEAT_DELAY: Duration = Duration::from_secs(1);
/// How long a replica waits for its deregistration at shutdown.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);

impl Replica {
    /// The replica of this process.
    #[must_use]
    pub fn current(own: &OwnReplica, address: String, private_address: Option<String>) -> Self {
        Self {
            id: own.id.clone(),
            version: VERSION.to_owned(),
            host: own.host.clone(),
            address,
            private_address,
            started_at: String::new(),
            catalog_version: None,
            status: ReplicaStatus::default(),
            requested: None,
            stats: ReplicaStats::default(),
        }
    }

    /// Sends heartbeats for as long as it is polled: every few seconds, when the catalog or the node status changes,
    /// and after a notification that a node status was requested, which a heartbeat returns.
    pub async fn send_heartbeats(
        mut self,
        store: &dyn ReplicaStore,
        context: &AdminContext,
        mut sampler: StatsSampler,
    ) {
        let started = time::Instant::now();
        let (own, store_status) = (&context.own_replica, &context.store_status);
        store_status.set_problem_sources(sampler.problem_sources());
        let mut version = context.current_catalog.subscribe_version();
        let mut status = own.subscribe();
        let mut pause = INITIAL_HEARTBEAT_DELAY;
        loop {
            self.catalog_version
                .clone_from(&version.borrow_and_update());
            self.status = status.borrow_and_update().as_ref().into();
            self.stats = sampler.sample();
            if self.started_at.is_empty()
                && let Ok(now) = store.now()
            {
                self.started_at = now.before(started.elapsed()).to_string();
            }
            let heartbeat = serde_json::to_string(&self).unwrap_or_default();
            store_status.set_own_replica(&self);
            let sent = store.heartbeat(&self.id, &heartbeat).await;
            store_status.record(&sent);
            match sent {
                Ok(Some(request)) => own.apply(request),
                Ok(None) => {}
                Err(error) => debug!(%error, "heartbeat not sent"),
            }
            let due = heartbeat_due(store, &mut version, &mut status);
            drop(timeout(pause, due).await);
            pause = HEARTBEAT_INTERVAL;
            time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Returns when the catalog or the node status has changed, or a node status may have been requested. The senders outlive
/// the heartbeats.
async fn heartbeat_due(
    store: &dyn ReplicaStore,
    version: &mut watch::Receiver<Option<String>>,
    status: &mut watch::Receiver<Option<StatusRequest>>,
) {
    tokio::select! {
        _ = version.changed() => {}
        _ = status.changed() => {}
        () = store.status_requested() => {}
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
    /// Errors of the store.
    pub async fn replicas(&self) -> Result<Vec<Replica>, StoreError> {
        let listed = self.store.replicas().await?.into_iter();
        // Heartbeats of later versions that cannot be parsed are skipped.
        Ok(listed.filter_map(|one| self.parse_replica(one)).collect())
    }

    fn parse_replica(&self, listed: ListedReplica) -> Option<Replica> {
        let mut replica: Replica = serde_json::from_str(&listed.heartbeat).ok()?;
        let own = &self.context.own_replica;
        if replica.id == own.id {
            // It may have changed since the last heartbeat.
            replica.status = own.status();
        }
        let request = listed.request;
        replica.requested = request.filter(|request| replica.status.is_changed_by(request));
        Some(replica)
    }
}
