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
const EXPIRY: Duration = Duration::from_millis(10);
/// TTL of a key that is deleted at once: if this process dies in between, it still ends.
const PROBE_TTL: u64 = 10_000;
/// The events that a probe causes. That keys are evicted cannot be caused.
const EVENTS: [&str; 2] = ["del", "expired"];

/// A key whose end is to be heard of.
pub(super) struct Probe {
    key: String,
    heard: [bool; EVENTS.len()],
}

impl Probe {
    /// Causes the events on `node`.
    ///
    /// # Errors
    /// What Redis says; then nothing can be concluded.
    pub(super) async fn write(store: &RedisStore, node: &Node) -> Result<Self, StoreError> {
        let key = store.redis.key_on(node, |tag| store.keys.probe(tag));
        let unknown = || StoreError::Unavailable("no slot of the server is known".to_owned());
        let key = key.ok_or_else(unknown)?;
        let set = |ttl: u64| cmd("SET").arg(&key).arg("").arg("PX").arg(ttl).to_owned();
        node.ask::<()>(&set(PROBE_TTL)).await?;
        node.ask::<()>(cmd("UNLINK").arg(&key)).await?;
        node.ask::<()>(&set(1)).await?;
        time::sleep(EXPIRY).await;
        // Redis removes it at the latest when somebody asks for it.
        node.ask::<()>(cmd("EXISTS").arg(&key)).await?;
        let heard = [false; EVENTS.len()];
        Ok(Self { key, heard })
    }

    /// Takes a message: the channel it came through, and the key that it names.
    pub(super) fn hear(&mut self, channel: &str, key: &str) {
        let event = channel.rsplit(':').next().unwrap_or_default();
        if key != self.key {
            return;
        }
        for (heard, known) in self.heard.iter_mut().zip(EVENTS) {
            *heard |= event == known;
        }
    }

    /// Whether all events were heard of.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.iter().all(|heard| *heard)
    }

    /// The events that were not heard of.
    pub(super) fn missing(&self) -> String {
        let missing = EVENTS.iter().zip(self.heard);
        let missing = missing.filter_map(|(event, heard)| (!heard).then_some(*event));
        missing.collect::<Vec<_>>().join(", ")
    }
}
