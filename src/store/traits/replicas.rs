//! The running replicas of Switchboard.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{ListedReplica, NodeStatus, StatusRequest, StoreError, Timestamp};
use crate::store::Clock;

/// A replica without a heartbeat for this time is no longer listed.
pub const REPLICA_TIMEOUT: Duration = Duration::from_secs(15);
/// The store deletes the entry of a replica that has had no heartbeat for this time, and requests of this age.
pub(in crate::store) const REPLICA_TTL: Duration = Duration::from_secs(60);

/// The store of the heartbeats of all replicas, and of the statuses that operators request for them.
#[async_trait]
pub trait ReplicaStore: Clock {
    /// Stores the heartbeat of a replica. The replica is listed until [`REPLICA_TIMEOUT`] after its last heartbeat.
    /// Returns the last status that was requested for it, with every heartbeat until the request is deleted.
    async fn heartbeat(
        &self,
        replica: &str,
        heartbeat: &str,
    ) -> Result<Option<StatusRequest>, StoreError>;

    /// Removes a replica from the list, and its request.
    async fn deregister(&self, replica: &str) -> Result<(), StoreError>;

    /// Returns the running replicas, ordered by name.
    async fn replicas(&self) -> Result<Vec<ListedReplica>, StoreError>;

    /// Requests a status for a replica, which its next heartbeat returns, and notifies all replicas. Replaces the
    /// previous request for the replica. The time of the request is later than that of the previous one and than
    /// `after`.
    async fn request_status(
        &self,
        replica: &str,
        status: NodeStatus,
        by: &str,
        after: Timestamp,
    ) -> Result<StatusRequest, StoreError>;

    /// Returns after a notification that a status may have been requested. Notifications can be lost.
    async fn status_requested(&self);
}
