//! Which replicas are up.

use std::time::Duration;

use gethostname::gethostname;
use serde::{Deserialize, Serialize};
use tokio::time::{self, timeout};
use tracing::debug;
use uuid::Uuid;

use super::{
    Admin, AdminError, StoreStatus,
    replica_stats::{ReplicaStats, StatsSampler},
};
use crate::{
    service::{ClockSkew, CurrentCatalog},
    settings::VERSION,
    store::Replicas,
};

/// How often a replica says that it is up.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How soon after its start it says so once more: by then it knows how it is doing.
const INITIAL_HEARTBEAT_DELAY: Duration = Duration::from_secs(1);
/// How long a replica that stops waits until the others know.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(1);

/// A replica, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// Names the running process.
    pub id: String,
    /// Of the program.
    pub version: String,
    /// What the machine calls itself that it runs on: where that is a container, replicas listen at the same address
    /// each. Empty where one of another version does not tell.
    #[serde(default)]
    pub host: String,
    /// Where it listens.
    pub address: String,
    /// Where it listens for those who may ask everything.
    pub private_address: Option<String>,
    /// Since when, in ISO 8601.
    #[serde(default)]
    pub started_at: String,
    /// Which version of what operators made is in force there; absent while it is not known.
    pub catalog_version: Option<String>,
    /// How it is doing.
    #[serde(flatten)]
    pub stats: ReplicaStats,
}

impl Replica {
    /// This process, which listens there from now on.
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

    /// Says that it is up for as long as it is polled: every few seconds, and when another catalogue is in
    /// force here.
    pub async fn send_heartbeats(
        mut self,
        store: &dyn Replicas,
        in_force: &CurrentCatalog,
        status: &StoreStatus,
        skew: &ClockSkew,
    ) {
        let started = time::Instant::now();
        let (mut version, mut finger) = (in_force.subscribe_version(), StatsSampler::new());
        let mut pause = INITIAL_HEARTBEAT_DELAY;
        loop {
            self.catalog_version
                .clone_from(&version.borrow_and_update());
            self.stats = finger.sample(skew);
            if self.started_at.is_empty()
                && let Ok(now) = store.now()
            {
                self.started_at = now.before(started.elapsed()).to_string();
            }
            let told = serde_json::to_string(&self).unwrap_or_default();
            status.set_own_replica(&self);
            let announced = store.heartbeat(&self.id, &told).await;
            status.record(&announced);
            if let Err(error) = announced {
                debug!(%error, "other replicas do not know that this one is up");
            }
            // The catalogue outlives this, so what ends the wait is a change or the time.
            drop(timeout(pause, version.changed()).await);
            pause = HEARTBEAT_INTERVAL;
            time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Says that the replica is gone; where that cannot be said, it is forgotten.
pub async fn deregister(replica: &str, store: &dyn Replicas) {
    if !matches!(
        timeout(DEREGISTER_TIMEOUT, store.deregister(replica)).await,
        Ok(Ok(()))
    ) {
        debug!("other replicas find out for themselves that this one is gone");
    }
}

impl Admin {
    /// The replicas that are up.
    ///
    /// # Errors
    /// What the store says.
    pub async fn replicas(&self) -> Result<Vec<Replica>, AdminError> {
        let told = self.store.replicas().await?;
        // One of a later version of this program may tell what is not understood here.
        let replicas = told
            .iter()
            .filter_map(|told| serde_json::from_str(told).ok());
        Ok(replicas.collect())
    }
}
