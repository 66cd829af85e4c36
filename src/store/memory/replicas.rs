//! The running replicas in the embedded store.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    model::StoreError,
    store::{REPLICA_TIMEOUT, ReplicaStore},
};

#[async_trait]
impl ReplicaStore for MemoryStore {
    async fn heartbeat(&self, replica: &str, status: &str) -> Result<(), StoreError> {
        let entry = (self.clock.now(), status.to_owned());
        self.state().replicas.insert(replica.to_owned(), entry);
        Ok(())
    }

    async fn deregister(&self, replica: &str) -> Result<(), StoreError> {
        self.state().replicas.remove(replica);
        Ok(())
    }

    async fn replicas(&self) -> Result<Vec<String>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let replicas = &mut state.replicas;
        replicas.retain(|_, (last_seen, _)| now.since(*last_seen) < REPLICA_TIMEOUT);
        Ok(replicas
            .values()
            .map(|(_, status)| status.clone())
            .collect())
    }
}
