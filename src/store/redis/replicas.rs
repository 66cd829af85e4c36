//! The running replicas in Redis: one hash with an entry per replica.

use async_trait::async_trait;
use redis::{Cmd, cmd};

use super::{
    RedisStore, millis,
    scripts::{HEARTBEAT, evalsha},
};
use crate::{
    model::{StoreError, Timestamp},
    store::{REPLICA_TIMEOUT, REPLICA_TTL, ReplicaStore},
};

#[async_trait]
impl ReplicaStore for RedisStore {
    async fn heartbeat(&self, replica: &str, status: &str) -> Result<(), StoreError> {
        let mut heartbeat = evalsha(&HEARTBEAT, &[self.keys.replicas()]);
        heartbeat.arg(replica).arg(status);
        heartbeat.arg(millis(REPLICA_TTL));
        self.redis.query(&heartbeat).await
    }

    async fn deregister(&self, replica: &str) -> Result<(), StoreError> {
        let mut delete: Cmd = cmd("HDEL");
        delete.arg(self.keys.replicas()).arg(replica);
        self.redis.query(&delete).await
    }

    async fn replicas(&self) -> Result<Vec<String>, StoreError> {
        let read = cmd("HGETALL").arg(self.keys.replicas()).to_owned();
        let mut entries: Vec<(String, String)> = self.redis.query(&read).await?;
        entries.sort();
        let now = self.redis.now_at(&self.keys.replicas())?;
        let running = entries.into_iter().filter_map(|(_, entry)| {
            let (last_seen, status) = entry.split_once('\n')?;
            let last_seen = Timestamp::from_millis(last_seen.parse().ok()?);
            (now.since(last_seen) < REPLICA_TIMEOUT).then(|| status.to_owned())
        });
        Ok(running.collect())
    }
}
