//! A probe of keyspace notifications, independent of the configuration: a key is deleted and expires,
//! and both messages must arrive.

use std::time::Duration;

use redis::cmd;
use tokio::time;

use super::{RedisStore, connection::Node};
use crate::model::StoreError;

/// The timeout of the messages about a probe.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The time after which a key with the shortest TTL has certainly expired.
const EXPIRY_WAIT: Duration = Duration::from_millis(10);
/// The TTL of a key that is deleted at once, so that it also expires after a crash.
const PROBE_TTL: u64 = 10_000;
/// The events that a probe causes. Evictions cannot be caused.
const EVENTS: [&str; 2] = ["del", "expired"];

/// A key whose deletion and expiration are to be received.
pub(super) struct Probe {
    key: String,
    received: [bool; EVENTS.len()],
}

impl Probe {
    /// Causes the events on `node`.
    ///
    /// # Errors
    /// Any error of Redis; the result is then undetermined.
    pub(super) async fn write(store: &RedisStore, node: &Node) -> Result<Self, StoreError> {
        let key = store.redis.key_on_node(node, |tag| store.keys.probe(tag));
        let unknown = || StoreError::Unavailable("slots of the server unknown".to_owned());
        let key = key.ok_or_else(unknown)?;
        let set = |ttl: u64| cmd("SET").arg(&key).arg("").arg("PX").arg(ttl).to_owned();
        node.query::<()>(&set(PROBE_TTL)).await?;
        node.query::<()>(cmd("UNLINK").arg(&key)).await?;
        node.query::<()>(&set(1)).await?;
        time::sleep(EXPIRY_WAIT).await;
        // Redis removes the key at the latest when it is accessed.
        node.query::<()>(cmd("EXISTS").arg(&key)).await?;
        let received = [false; EVENTS.len()];
        Ok(Self { key, received })
    }

    /// Processes a message: its channel, and the key that it contains.
    pub(super) fn record(&mut self, channel: &str, key: &str) {
        let event = channel.rsplit(':').next().unwrap_or_default();
        if key != self.key {
            return;
        }
        for (received, expected) in self.received.iter_mut().zip(EVENTS) {
            *received |= event == expected;
        }
    }

    /// Whether all events were received.
    pub(super) fn is_complete(&self) -> bool {
        self.received.iter().all(|received| *received)
    }

    /// The events that were not received.
    pub(super) fn missing(&self) -> String {
        let missing = EVENTS.iter().zip(self.received);
        let missing = missing.filter_map(|(event, received)| (!received).then_some(*event));
        missing.collect::<Vec<_>>().join(", ")
    }
}
