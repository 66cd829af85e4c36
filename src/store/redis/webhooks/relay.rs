//! The relay: it moves events from outboxes to the queues of their endpoints.
//!
//! An outbox is in the slot of the change, an endpoint in one of its own. Events are added to the endpoint first and
//! removed from the outbox afterwards, so that a crash in between repeats events and loses none. The replica that made a
//! change relays its events at once; the cleanup leader relays what others have left.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use redis::{Cmd, cmd};
use tracing::warn;

use super::record::EventRecord;
use crate::{
    model::{StoreError, Timestamp, webhook::WebhookEndpoint},
    store::{
        redis::{
            RedisStore,
            connection::parse_reply,
            scripts::{REMOVE_RELAYED, RESCHEDULE_CLEANUP, evalsha},
        },
        webhook_hub::Outbox,
    },
};

/// The number of outboxes that are relayed at once.
const BATCH: usize = 64;
/// The maximum number of events read from an outbox at once.
const EVENTS_PER_READ: usize = 250;
/// The member of a record with the number of events that were dropped for it, see `scripts/events.lua`.
const DROPPED: &str = "\"dropped\":";

/// An outbox that is being emptied.
struct OpenOutbox {
    outbox: Outbox,
    key: String,
    /// The records that were relayed, or that are unreadable.
    done: Vec<String>,
    /// Whether there may be events after those that were read.
    is_incomplete: bool,
    has_failed: bool,
}

impl OpenOutbox {
    /// Whether it was read completely, one record was relayed, and no event was dropped for that one.
    fn has_single_record(&self) -> bool {
        let is_single = self.done.len() == 1 && !self.is_incomplete;
        is_single && !self.done.iter().any(|record| record.contains(DROPPED))
    }

    /// The command that removes what was relayed. A single record is the usual case: `LREM` costs Redis a fifth of the
    /// script, which does not search a long list, and counts dropped events.
    fn remove_command(&self) -> Cmd {
        if self.has_single_record() {
            let mut remove = cmd("LREM");
            remove.arg(&self.key).arg(1).arg(&self.done);
            return remove;
        }
        let mut remove = evalsha(&REMOVE_RELAYED, std::slice::from_ref(&self.key));
        remove.arg(EVENTS_PER_READ).arg(&self.done);
        remove
    }
}

/// The events of an endpoint that were read from outboxes, with the index of the outbox of each.
#[derive(Default)]
struct ReadEvents {
    events: Vec<EventRecord>,
    outboxes: Vec<usize>,
}

impl RedisStore {
    /// Relays the events of the changes of this process until the future is dropped.
    pub async fn relay_events(&self) {
        loop {
            let outboxes = self.webhooks.next_outboxes(BATCH).await;
            let outboxes: HashSet<Outbox> = outboxes.into_iter().collect();
            // The sweep relays what remains.
            self.relay(outboxes.into_iter().collect()).await;
        }
    }

    /// Moves all events of these outboxes to the queues of their endpoints. Returns the outboxes that may still have
    /// events: a failure of one outbox or endpoint does not affect the others.
    pub(in crate::store::redis) async fn relay(&self, outboxes: Vec<Outbox>) -> HashSet<Outbox> {
        let open = |outbox| OpenOutbox {
            key: self.outbox_key(&outbox),
            outbox,
            done: Vec::new(),
            is_incomplete: false,
            has_failed: false,
        };
        let mut open: Vec<OpenOutbox> = outboxes.into_iter().map(open).collect();
        let mut failed = HashSet::new();
        while !open.is_empty() {
            if let Err(error) = self.relay_batch(&mut open).await {
                self.webhooks.warn_of_failed_relay(&error);
            }
            let (not_relayed, relayed): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|outbox| outbox.has_failed);
            failed.extend(not_relayed.into_iter().map(|outbox| outbox.outbox));
            open = relayed;
            open.retain(|outbox| outbox.is_incomplete);
        }
        failed
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

    /// Moves the first events of these outboxes.
    ///
    /// # Errors
    /// One of the failures, each of which is also recorded with its outbox.
    async fn relay_batch(&self, open: &mut [OpenOutbox]) -> Result<(), StoreError> {
        let mut result = Ok(());
        let mut by_endpoint: BTreeMap<WebhookEndpoint, ReadEvents> = BTreeMap::new();
        let replies = self.read_outboxes(open).await;
        for (index, (outbox, records)) in open.iter_mut().zip(replies).enumerate() {
            let records = match records {
                Ok(records) => records,
                Err(error) => {
                    outbox.has_failed = true;
                    result = Err(error);
                    continue;
                }
            };
            outbox.is_incomplete = records.len() == EVENTS_PER_READ;
            for text in records {
                match EventRecord::parse(text.clone()) {
                    Ok((endpoint, event)) => {
                        let read = by_endpoint.entry(endpoint).or_default();
                        read.events.push(event);
                        read.outboxes.push(index);
                    }
                    Err(error) => {
                        warn!(%error, "unreadable webhook event dropped");
                        outbox.done.push(text);
                    }
                }
            }
        }
        let add = |(endpoint, read): (WebhookEndpoint, ReadEvents)| async move {
            (self.relay_to(endpoint, &read.events).await, read)
        };
        for (added, read) in join_all(by_endpoint.into_iter().map(add)).await {
            let is_added = added.is_ok();
            for (event, index) in read.events.into_iter().zip(read.outboxes) {
                match open.get_mut(index) {
                    Some(outbox) if is_added => outbox.done.push(event.text),
                    Some(outbox) => outbox.has_failed = true,
                    None => {}
                }
            }
            result = result.and(added);
        }
        result.and(self.remove_relayed(open).await)
    }

    async fn relay_to(
        &self,
        endpoint: WebhookEndpoint,
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        if self.webhooks.backs_off(&endpoint) {
            let detail = format!("the relay to {endpoint} has just failed");
            return Err(StoreError::Unavailable(detail));
        }
        let added = self.add_events(&endpoint, events).await;
        self.webhooks.set_failing(endpoint, added.is_err());
        added
    }

    /// Reads the first records of each outbox.
    async fn read_outboxes(&self, open: &[OpenOutbox]) -> Vec<Result<Vec<String>, StoreError>> {
        let read = |outbox: &OpenOutbox| {
            let mut range = cmd("LRANGE");
            range.arg(&outbox.key).arg(0).arg(EVENTS_PER_READ - 1);
            range
        };
        let commands = open.iter().map(read).collect();
        match self.redis.pipeline_each(commands).await {
            Ok(replies) => {
                let parse = |reply: Result<_, _>| reply.and_then(parse_reply);
                replies.into_iter().map(parse).collect()
            }
            Err(error) => {
                let error = error.to_string();
                let failed = |_: &OpenOutbox| Err(StoreError::Unavailable(error.clone()));
                open.iter().map(failed).collect()
            }
        }
    }

    /// Removes what was relayed from the outboxes.
    async fn remove_relayed(&self, open: &mut [OpenOutbox]) -> Result<(), StoreError> {
        let relayed = open.iter_mut().filter(|outbox| !outbox.done.is_empty());
        let mut relayed: Vec<&mut OpenOutbox> = relayed.collect();
        let commands = relayed.iter().map(|outbox| outbox.remove_command());
        let commands = commands.collect();
        let replies = self.redis.pipeline_each(commands).await;
        let mut replies = replies.map(Vec::into_iter);
        let mut result = Ok(());
        for outbox in &mut relayed {
            let has_dropped = !outbox.has_single_record();
            outbox.done.clear();
            let removed = match &mut replies {
                Ok(replies) => replies.next().map(|reply| reply.and_then(parse_reply)),
                Err(_) => None,
            };
            match removed {
                Some(Ok(dropped)) if has_dropped && dropped > 0 => {
                    self.webhooks.add_dropped_events(dropped);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    outbox.has_failed = true;
                    result = Err(error);
                }
                None => outbox.has_failed = true,
            }
        }
        replies.map(drop).and(result)
    }

    /// Removes the endpoints that were last used before `since`, with their events.
    ///
    /// # Errors
    /// Any error of Redis; the next call continues.
    pub async fn remove_unused_endpoints(&self, since: Timestamp) -> Result<(), StoreError> {
        let registry = self.keys.webhook_endpoints();
        let mut range = cmd("ZRANGEBYSCORE");
        range.arg(&registry).arg("-inf").arg(since.millis());
        range.arg("WITHSCORES");
        let entries: Vec<(String, i64)> = self.redis.query(&range).await?;
        for (name, used_at) in entries {
            // First from the registry, unless it was used meanwhile.
            let mut remove = evalsha(&RESCHEDULE_CLEANUP, std::slice::from_ref(&registry));
            remove.arg(&name).arg(used_at).arg("");
            let is_unused: bool = self.redis.query(&remove).await?;
            if let Some(endpoint) = WebhookEndpoint::parse(&name).filter(|_| is_unused) {
                let keys = self.keys.webhook(&endpoint);
                self.redis.query::<()>(cmd("UNLINK").arg(&keys)).await?;
            }
        }
        Ok(())
    }
}
