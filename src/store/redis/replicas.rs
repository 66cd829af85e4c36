//! The running replicas in Redis: one hash, with a field for each replica and one for each requested status.

use std::collections::HashMap;

use async_trait::async_trait;
use redis::cmd;

use super::{
    RedisStore, millis,
    scripts::{HEARTBEAT, REQUEST_STATUS, evalsha},
};
use crate::{
    model::{ListedReplica, NodeStatus, StatusRequest, StoreError, Timestamp},
    store::{REPLICA_TIMEOUT, REPLICA_TTL, ReplicaStore},
};

/// The message about a requested status on the channel of the catalog. Versions of the catalog differ from it.
pub(super) const STATUS_MESSAGE: &str = "status";

/// The end of the fields of requests.
const REQUEST_SUFFIX: &str = ":status";

/// The field of the request for a replica. Replicas of versions without requests skip its value.
fn request_field(replica: &str) -> String {
    [replica, REQUEST_SUFFIX].concat()
}

/// Parses a time, a line feed, the status, a line feed and the user name.
fn parse_request(value: &str) -> Option<StatusRequest> {
    let mut parts = value.splitn(3, '\n');
    let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let status = NodeStatus::parse(parts.next()?)?;
    let by = parts.next()?.to_owned();
    Some(StatusRequest { status, by, at })
}

#[async_trait]
impl ReplicaStore for RedisStore {
    async fn heartbeat(
        &self,
        replica: &str,
        heartbeat: &str,
    ) -> Result<Option<StatusRequest>, StoreError> {
        let mut call = evalsha(&HEARTBEAT, &[self.keys.replicas()]);
        call.arg(replica).arg(heartbeat).arg(millis(REPLICA_TTL));
        call.arg(request_field(replica));
        let request: Option<String> = self.redis.query(&call).await?;
        Ok(request.as_deref().and_then(parse_request))
    }

    async fn deregister(&self, replica: &str) -> Result<(), StoreError> {
        let mut delete = cmd("HDEL");
        delete.arg(self.keys.replicas()).arg(replica);
        self.redis.query(delete.arg(request_field(replica))).await
    }

    async fn replicas(&self) -> Result<Vec<ListedReplica>, StoreError> {
        let read = cmd("HGETALL").arg(self.keys.replicas()).to_owned();
        let fields: HashMap<String, String> = self.redis.query(&read).await?;
        let now = self.redis.now_at(&self.keys.replicas())?;
        let mut running: Vec<(&str, ListedReplica)> = fields
            .iter()
            .filter_map(|(replica, entry)| {
                let (last_seen, heartbeat) = entry.split_once('\n')?;
                let last_seen = Timestamp::from_millis(last_seen.parse().ok()?);
                let is_running = now.since(last_seen) < REPLICA_TIMEOUT;
                let request = fields.get(&request_field(replica));
                let listed = ListedReplica {
                    heartbeat: heartbeat.to_owned(),
                    request: request.and_then(|request| parse_request(request)),
                };
                (is_running && !replica.ends_with(REQUEST_SUFFIX))
                    .then_some((replica.as_str(), listed))
            })
            .collect();
        running.sort_by_key(|(replica, _)| *replica);
        Ok(running.into_iter().map(|(_, listed)| listed).collect())
    }

    async fn request_status(
        &self,
        replica: &str,
        status: NodeStatus,
        by: &str,
        after: Timestamp,
    ) -> Result<StatusRequest, StoreError> {
        let mut call = evalsha(&REQUEST_STATUS, &[self.keys.replicas()]);
        call.arg(request_field(replica));
        call.arg(format!("{}\n{by}", status.name()));
        call.arg(after.millis()).arg(millis(REPLICA_TTL));
        call.arg(self.keys.catalog_channel()).arg(STATUS_MESSAGE);
        let at = Timestamp::from_millis(self.redis.query(&call).await?);
        let by = by.to_owned();
        Ok(StatusRequest { status, by, at })
    }

    async fn status_requested(&self) {
        self.status_requested.notified().await;
    }
}
