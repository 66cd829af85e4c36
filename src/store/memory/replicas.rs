//! The running replicas in the embedded store.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::{ListedReplica, NodeStatus, StatusRequest, StoreError, Timestamp},
    store::{REPLICA_TIMEOUT, REPLICA_TTL, ReplicaStore},
};

#[async_trait]
impl ReplicaStore for MemoryStore {
    async fn heartbeat(
        &self,
        replica: &str,
        heartbeat: &str,
    ) -> Result<Option<StatusRequest>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let entry = (now, heartbeat.to_owned());
        state.replicas.insert(replica.to_owned(), entry);
        let requests = &mut state.status_requests;
        requests.retain(|_, request| now.since(request.at) < REPLICA_TTL);
        Ok(requests.get(replica).cloned())
    }

    async fn deregister(&self, replica: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        state.replicas.remove(replica);
        state.status_requests.remove(replica);
        Ok(())
    }

    async fn replicas(&self) -> Result<Vec<ListedReplica>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let replicas = &mut state.replicas;
        replicas.retain(|_, (last_seen, _)| now.since(*last_seen) < REPLICA_TIMEOUT);
        let replicas = state.replicas.iter();
        let listed = replicas.map(|(replica, (_, heartbeat))| ListedReplica {
            heartbeat: heartbeat.clone(),
            request: state.status_requests.get(replica).cloned(),
        });
        Ok(listed.collect())
    }

    async fn request_status(
        &self,
        replica: &str,
        status: NodeStatus,
        by: &str,
        after: Timestamp,
    ) -> Result<StatusRequest, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let last = state.status_requests.get(replica);
        let after = last.map_or(after, |last| last.at.max(after));
        let request = StatusRequest {
            status,
            by: by.to_owned(),
            at: now.max(after.after(Duration::from_millis(1))),
        };
        let stored = request.clone();
        state.status_requests.insert(replica.to_owned(), stored);
        drop(state);
        self.status_requested.notify_one();
        Ok(request)
    }

    async fn status_requested(&self) {
        self.status_requested.notified().await;
    }
}
