//! Whether keyspace notifications arrive, whatever the configuration says: a key of our own is deleted
//! and expires, and the messages about that are waited for.

use std::time::Duration;

use redis::cmd;
use tokio::time;

use super::{RedisStore, connection::Node};
use crate::store::StoreError;

/// How long a message about a probe may take.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// After which time a key with the shortest TTL has certainly expired.
const EXPIRY_WAIT: Duration = Duration::from_millis(10);
/// TTL of a key that is deleted at once: if this process dies in between, it still ends.
const PROBE_TTL: u64 = 10_000;
/// The events that a probe causes. That keys are evicted cannot be caused.
const EVENTS: [&str; 2] = ["del", "expired"];

/// A key whose end is to be heard of.
pub(super) struct Probe {
    key: String,
    received: [bool; EVENTS.len()],
}

impl Probe {
    /// Causes the events on `node`.
    ///
    /// # Errors
    /// What Redis says; then nothing can be concluded.
    pub(super) async fn write(store: &RedisStore, node: &Node) -> Result<Self, StoreError> {
        let key = store.redis.key_on_node(node, |tag| store.keys.probe(tag));
        let unknown = || StoreError::Unavailable("no slot of the server is known".to_owned());
        let key = key.ok_or_else(unknown)?;
        let set = |ttl: u64| cmd("SET").arg(&key).arg("").arg("PX").arg(ttl).to_owned();
        node.query::<()>(&set(PROBE_TTL)).await?;
        node.query::<()>(cmd("UNLINK").arg(&key)).await?;
        node.query::<()>(&set(1)).await?;
        time::sleep(EXPIRY_WAIT).await;
        // Redis removes it at the latest when somebody asks for it.
        node.query::<()>(cmd("EXISTS").arg(&key)).await?;
        let heard = [false; EVENTS.len()];
        Ok(Self {
            key,
            received: heard,
        })
    }

    /// Takes a message: the channel it came through, and the key that it names.
    pub(super) fn record(&mut self, channel: &str, key: &str) {
        let event = channel.rsplit(':').next().unwrap_or_default();
        if key != self.key {
            return;
        }
        for (heard, known) in self.received.iter_mut().zip(EVENTS) {
            *heard |= event == known;
        }
    }

    /// Whether all events were heard of.
    pub(super) fn is_complete(&self) -> bool {
        self.received.iter().all(|heard| *heard)
    }

    /// The events that were not heard of.
    pub(super) fn missing(&self) -> String {
        let missing = EVENTS.iter().zip(self.received);
        let missing = missing.filter_map(|(event, heard)| (!heard).then_some(*event));
        missing.collect::<Vec<_>>().join(", ")
    }
}
