//! The running replicas of Switchboard.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::StoreError;
use crate::store::Clock;

/// A replica without a heartbeat for this time is no longer listed.
pub const REPLICA_TIMEOUT: Duration = Duration::from_secs(15);
/// The store deletes the entry of a replica that has had no heartbeat for this time.
pub(in crate::store) const REPLICA_TTL: Duration = Duration::from_secs(60);

/// The store of the heartbeats of all replicas.
#[async_trait]
pub trait ReplicaStore: Clock {
    /// Stores the heartbeat of a replica with its status. The replica is listed until
    /// [`REPLICA_TIMEOUT`] after its last heartbeat.
    async fn heartbeat(&self, replica: &str, status: &str) -> Result<(), StoreError>;

    /// Removes a replica from the list.
    async fn deregister(&self, replica: &str) -> Result<(), StoreError>;

    /// Returns the status of each running replica, ordered by replica name.
    async fn replicas(&self) -> Result<Vec<String>, StoreError>;
}
