//! The relay: it moves events from outboxes to the queues of their endpoints.
//!
//! An outbox is in the slot of the change, an endpoint in one of its own. Events are added to the endpoint first and
//! removed from the outbox afterwards, so that a crash in between repeats events and loses none. The replica that made a
//! change relays its events at once; the cleanup leader relays what others have left.

use std::collections::{BTreeMap, HashSet};

use redis::{Cmd, cmd};
use tracing::{debug, warn};

use super::record::parse_record;
use crate::{
    model::{
        StoreError, Timestamp,
        webhook::{Event, WebhookEndpoint},
    },
    store::{
        redis::{RedisStore, connection::parse_reply},
        webhook_hub::Outbox,
    },
};

/// The number of outboxes that are relayed at once.
const BATCH: usize = 64;
/// The maximum number of events read from an outbox at once.
const EVENTS_PER_READ: usize = 250;

/// The events of an endpoint that were read from outboxes, with their records, and the commands that remove them.
#[derive(Default)]
struct ReadEvents {
    events: Vec<(Event, String)>,
    removals: Vec<Cmd>,
}

impl RedisStore {
    /// Relays the events of the changes of this process until the future is dropped.
    pub async fn relay_events(&self) {
        loop {
            let mut outboxes = self.webhooks.next_outboxes(BATCH).await;
            let mut known = HashSet::new();
            outboxes.retain(|outbox| known.insert(outbox.clone()));
            if let Err(error) = self.relay(&outboxes).await {
                debug!(%error, "webhook events not relayed; the sweep relays them");
            }
        }
    }

    /// Moves all events of these outboxes to the queues of their endpoints. A failure at one endpoint does not prevent the
    /// relay to the others.
    pub(in crate::store::redis) async fn relay(
        &self,
        outboxes: &[Outbox],
    ) -> Result<(), StoreError> {
        let mut keys: Vec<String> = outboxes
            .iter()
            .map(|outbox| self.outbox_key(outbox))
            .collect();
        while !keys.is_empty() {
            keys = self.relay_batch(keys).await?;
        }
        Ok(())
    }

    fn outbox_key(&self, outbox: &Outbox) -> String {
        match outbox {
            Outbox::Service(id) => self.keys.events(id),
            Outbox::Group(group) => {
                let [.., events] = self.keys.group(group);
                events
            }
        }
    }

    /// Moves the first events of these outboxes. Returns the outboxes that have more.
    async fn relay_batch(&self, keys: Vec<String>) -> Result<Vec<String>, StoreError> {
        let read = |key: &String| {
            let mut range = cmd("LRANGE");
            range.arg(key).arg(0).arg(EVENTS_PER_READ - 1);
            range
        };
        let replies = self
            .redis
            .pipeline_unordered(keys.iter().map(read).collect());
        let mut by_endpoint: BTreeMap<WebhookEndpoint, ReadEvents> = BTreeMap::new();
        let (mut removals, mut incomplete) = (Vec::new(), Vec::new());
        for (key, reply) in keys.into_iter().zip(replies.await?) {
            let records: Vec<String> = parse_reply(reply)?;
            let is_incomplete = records.len() == EVENTS_PER_READ;
            for record in records {
                let remove = cmd("LREM").arg(&key).arg(1).arg(&record).to_owned();
                match parse_record(&record) {
                    Ok((endpoint, event)) => {
                        let read = by_endpoint.entry(endpoint).or_default();
                        read.events.push((event, record));
                        read.removals.push(remove);
                    }
                    Err(error) => {
                        warn!(%error, "unreadable webhook event dropped");
                        removals.push(remove);
                    }
                }
            }
            if is_incomplete {
                incomplete.push(key);
            }
        }
        let mut failure = None;
        for (endpoint, read) in by_endpoint {
            match self.add_events(&endpoint, &read.events).await {
                Ok(()) => removals.extend(read.removals),
                Err(error) => failure = Some(error),
            }
        }
        self.redis.pipeline_unordered(removals).await?;
        failure.map_or(Ok(incomplete), Err)
    }

    /// Removes the endpoints that were last used before `since`, with their events.
    ///
    /// # Errors
    /// Any error of Redis; the next call continues.
    pub async fn remove_unused_endpoints(&self, since: Timestamp) -> Result<(), StoreError> {
        let registry = self.keys.webhook_endpoints();
        let mut range = cmd("ZRANGEBYSCORE");
        range.arg(&registry).arg("-inf").arg(since.millis());
        let names: Vec<String> = self.redis.query(&range).await?;
        for name in names {
            if let Some(endpoint) = WebhookEndpoint::parse(&name) {
                let keys = self.keys.webhook(&endpoint);
                self.redis.query::<()>(cmd("UNLINK").arg(&keys)).await?;
            }
            let mut remove = cmd("ZREM");
            remove.arg(&registry).arg(&name);
            self.redis.query::<()>(&remove).await?;
        }
        Ok(())
    }
}
