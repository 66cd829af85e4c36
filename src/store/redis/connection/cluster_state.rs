//! The topology of Redis, and the task that keeps it up to date.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time,
};
use tracing::{info, warn};

use super::{
    clock::ServerClock, connector::Connector, node::Node, slot_map::SlotMap, topology::Topology,
};
use crate::model::{StoreError, readiness::Finding};

/// The interval at which the topology is refreshed.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The minimum pause between two refreshes.
const REFRESH_DEBOUNCE: Duration = Duration::from_millis(50);

/// The topology and the connections to its servers.
pub(super) struct ClusterState {
    pub(super) topology: Topology,
    pub(super) connector: Connector,
    pub(super) map: RwLock<Arc<SlotMap>>,
    /// The error of the last refresh, if it failed.
    pub(super) topology_error: Mutex<Option<Finding>>,
    /// Triggers a refresh.
    pub(super) refresh_requested: Notify,
    /// The clock of the server that was measured last.
    pub(super) last_measured: Arc<ServerClock>,
}

impl ClusterState {
    pub(super) fn slot_map(&self) -> Arc<SlotMap> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&map)
    }

    pub(super) fn topology_error(&self) -> Option<Finding> {
        self.topology_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn replace_map(&self, next: SlotMap) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *map = Arc::new(next);
    }

    /// Reads the topology, and updates the map if it has changed.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let current = self.slot_map();
        let found = self.topology.discover(&current).await;
        *self
            .topology_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = found.as_ref().err().cloned();
        let ranges = found.map_err(|finding| StoreError::Unavailable(finding.detail))?;
        if current.matches(&ranges) {
            return Ok(());
        }
        let make = |address| Node::open(&self.connector, address, &self.last_measured);
        self.replace_map(self.slot_map().updated(ranges, make)?);
        if !self.topology.is_fixed() {
            let map = self.slot_map();
            let servers = map.nodes().iter().map(|node| node.address.to_string());
            let servers = servers.collect::<Vec<_>>().join(", ");
            info!(servers, "redis topology changed");
        }
        Ok(())
    }
}

/// Refreshes the topology until the task is aborted.
pub(super) async fn refresh_task(cluster: Arc<ClusterState>, refreshed: watch::Sender<bool>) {
    let mut failing = false;
    loop {
        let result = cluster.refresh().await;
        match (&result, failing) {
            (Err(error), false) => warn!(%error, "no redis node returned the cluster topology"),
            (Ok(()), true) => info!("redis topology available again"),
            _ => {}
        }
        failing = result.is_err();
        refreshed.send_replace(true);
        time::sleep(REFRESH_DEBOUNCE).await;
        drop(time::timeout(POLL_INTERVAL, cluster.refresh_requested.notified()).await);
    }
}
