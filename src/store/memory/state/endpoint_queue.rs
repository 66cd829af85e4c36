//! The pending events and dead letters of one endpoint. `scripts/webhooks.lua` has the same rules.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use crate::model::{
    Timestamp,
    webhook::{
        ClaimedQueue, DeadLetter, DeliveryClaim, DeliveryFailure, EndpointStatus, Event, EventId,
        MAX_CLAIMED_EVENTS, NextAttempt, QueueResult, WebhookLimits,
    },
};

mod dead_letters;

/// The reason of dead letters that were never attempted.
const TOO_MANY_PENDING: &str = "too many pending events";
/// The accounted bytes of an event in addition to its data.
pub(super) const OVERHEAD_BYTES: usize = 512;

struct PendingEvent {
    event: Event,
    /// The time of the event, or that at which a dead letter was sent again.
    since: Timestamp,
    /// Its position: the queue, a sequence number and the id, on a line each.
    position: String,
}

#[derive(Default)]
pub(in crate::store::memory) struct EndpointQueue {
    events: HashMap<EventId, PendingEvent>,
    positions: BTreeSet<String>,
    by_time: BTreeSet<(Timestamp, EventId)>,
    /// The time of the next attempt of each queue.
    due: HashMap<String, Timestamp>,
    by_due: BTreeSet<(Timestamp, String)>,
    /// The failed attempts to deliver the first event of a queue, and the time of the next one: the queue has that time
    /// unless it is claimed.
    attempts: HashMap<String, (u32, Timestamp)>,
    /// The dead letters with their positions.
    dead: BTreeMap<(Timestamp, EventId), (String, DeadLetter)>,
    dead_ids: HashSet<EventId>,
    next_seq: u64,
    /// The counters and times; the rest is filled when it is read.
    status: EndpointStatus,
    /// The accounted bytes.
    pub(super) bytes: usize,
}

impl EndpointQueue {
    /// Adds an event, unless it is pending or a dead letter.
    pub(super) fn add(&mut self, event: Event, now: Timestamp, limits: WebhookLimits) {
        if self.events.contains_key(&event.id) || self.dead_ids.contains(&event.id) {
            return;
        }
        self.insert(event.time, event, now);
        while self.events.len() > limits.max_pending
            && let Some((_, oldest)) = self.by_time.first().cloned()
        {
            self.make_dead(&oldest, None, TOO_MANY_PENDING, now, limits);
        }
    }

    fn insert(&mut self, since: Timestamp, event: Event, now: Timestamp) {
        let queue = event.queue().to_owned();
        let position = format!("{queue}\n{:016}\n{}", self.next_seq, event.id);
        self.next_seq += 1;
        self.bytes += event_bytes(&event);
        self.positions.insert(position.clone());
        self.by_time.insert((since, event.id.clone()));
        if !self.due.contains_key(&queue) {
            self.set_due(&queue, Some(now));
        }
        let id = event.id.clone();
        let pending = PendingEvent {
            event,
            since,
            position,
        };
        self.events.insert(id, pending);
    }

    fn remove(&mut self, id: &EventId) -> Option<PendingEvent> {
        let pending = self.events.remove(id)?;
        self.positions.remove(&pending.position);
        self.by_time.remove(&(pending.since, id.clone()));
        self.bytes -= event_bytes(&pending.event);
        Some(pending)
    }

    fn set_due(&mut self, queue: &str, at: Option<Timestamp>) {
        if let Some(previous) = self.due.remove(queue) {
            self.by_due.remove(&(previous, queue.to_owned()));
        }
        if let Some(at) = at {
            self.due.insert(queue.to_owned(), at);
            self.by_due.insert((at, queue.to_owned()));
        }
    }

    /// The positions of the events of a queue, in order.
    fn positions_of(&self, queue: &str) -> impl Iterator<Item = &String> {
        let prefix = format!("{queue}\n");
        let from = self.positions.range(prefix.clone()..);
        from.take_while(move |position| position.starts_with(&prefix))
    }

    /// The number of failed attempts to deliver the first event of a queue.
    fn attempts_of(&self, queue: &str) -> u32 {
        self.attempts.get(queue).map_or(0, |(count, _)| *count)
    }

    /// Forgets the attempts of a queue because its first event leaves it. The next one does not wait for them.
    fn forget_attempts(&mut self, queue: &str, now: Timestamp) -> u32 {
        let Some((count, retry_at)) = self.attempts.remove(queue) else {
            return 0;
        };
        if self.due.get(queue) == Some(&retry_at) {
            self.set_due(queue, Some(now));
        }
        count
    }

    /// Makes a pending event a dead letter. Without `attempts`, those of its queue are counted, if it is the first one.
    fn make_dead(
        &mut self,
        id: &EventId,
        attempts: Option<u32>,
        reason: &str,
        now: Timestamp,
        limits: WebhookLimits,
    ) {
        let Some(pending) = self.events.get(id) else {
            return;
        };
        let queue = pending.event.queue().to_owned();
        let is_first = self.positions_of(&queue).next() == Some(&pending.position);
        let failed = if is_first {
            self.forget_attempts(&queue, now)
        } else {
            0
        };
        let Some(PendingEvent {
            event, position, ..
        }) = self.remove(id)
        else {
            return;
        };
        let letter = DeadLetter {
            attempts: attempts.unwrap_or(failed),
            reason: reason.to_owned(),
            at: now,
            event,
        };
        self.status.became_dead += 1;
        self.bytes += event_bytes(&letter.event);
        self.dead.insert((now, id.clone()), (position, letter));
        self.dead_ids.insert(id.clone());
        while self.dead.len() > limits.max_dead_letters
            && let Some((key, _)) = self.dead.first_key_value()
        {
            self.remove_dead(&key.clone());
        }
    }

    fn remove_dead(&mut self, key: &(Timestamp, EventId)) -> Option<(String, Event)> {
        let (position, letter) = self.dead.remove(key)?;
        self.dead_ids.remove(&key.1);
        self.bytes -= event_bytes(&letter.event);
        Some((position, letter.event))
    }

    /// Removes a delivered event, which may have become a dead letter meanwhile. Returns whether it was there.
    fn remove_delivered(&mut self, id: &EventId) -> bool {
        if self.dead_ids.contains(id) {
            let mut keys = self.dead.keys();
            let key = keys.find(|(_, dead)| dead == id).cloned();
            return key.and_then(|key| self.remove_dead(&key)).is_some();
        }
        self.remove(id).is_some()
    }

    pub(in crate::store::memory) fn claim(
        &mut self,
        max_queues: usize,
        lease: Duration,
        now: Timestamp,
    ) -> Vec<ClaimedQueue> {
        if self.status.stopped_since.is_some() {
            return Vec::new();
        }
        let due = self.by_due.iter().take_while(|(at, _)| *at <= now);
        let due: Vec<String> = due
            .take(max_queues)
            .map(|(_, queue)| queue.clone())
            .collect();
        let until = now.after(lease);
        let claim = |queue: String| {
            let positions = self.positions_of(&queue).take(MAX_CLAIMED_EVENTS);
            let positions: Vec<String> = positions.cloned().collect();
            self.set_due(&queue, (!positions.is_empty()).then_some(until));
            if positions.is_empty() {
                self.attempts.remove(&queue);
            }
            let events = positions.iter().filter_map(|position| {
                let pending = self.events.get(&id_of(position))?;
                Some(pending.event.clone())
            });
            ClaimedQueue {
                failed_attempts: self.attempts_of(&queue),
                events: events.collect(),
                is_next_unreadable: false,
                claim: DeliveryClaim { until, positions },
                queue,
            }
        };
        let mut claimed: Vec<ClaimedQueue> = due.into_iter().map(claim).collect();
        claimed.retain(|queue| !queue.events.is_empty());
        claimed
    }

    pub(in crate::store::memory) fn finish(
        &mut self,
        result: &QueueResult,
        now: Timestamp,
        limits: WebhookLimits,
    ) {
        let (delivered, failed) = result.positions();
        for position in delivered {
            if self.remove_delivered(&id_of(position)) {
                self.status.delivered += 1;
                self.status.last_success = Some(now);
            }
        }
        let queue = &result.queue;
        if self.due.get(queue) != Some(&result.claim.until) {
            return;
        }
        if !delivered.is_empty() {
            self.attempts.remove(queue);
        }
        let mut due = now;
        if let (Some(failure), Some(position)) = (&result.failure, failed) {
            due = self.record_failure(queue, failure, position, now, limits);
        }
        let has_more = self.positions_of(queue).next().is_some();
        self.set_due(queue, has_more.then_some(due));
        if !has_more {
            self.attempts.remove(queue);
        }
    }

    /// Records a failure, and returns when the queue is due.
    fn record_failure(
        &mut self,
        queue: &str,
        failure: &DeliveryFailure,
        position: &String,
        now: Timestamp,
        limits: WebhookLimits,
    ) -> Timestamp {
        self.status.failed += 1;
        self.status.last_failure = Some((now, failure.error.clone()));
        if failure.next == NextAttempt::StopEndpoint {
            self.status.stopped_since.get_or_insert(now);
        }
        // Too many pending events made it a dead letter meanwhile: the failure is none of the next event.
        if self.positions_of(queue).next() != Some(position) {
            return now;
        }
        let attempts = self.attempts_of(queue) + 1;
        let retry_at = match failure.next {
            NextAttempt::DeadLetter => {
                let id = id_of(position);
                self.make_dead(&id, Some(attempts), &failure.error, now, limits);
                return now;
            }
            NextAttempt::StopEndpoint => now,
            NextAttempt::After(delay) => now.after(delay),
        };
        self.attempts.insert(queue.to_owned(), (attempts, retry_at));
        retry_at
    }

    pub(in crate::store::memory) fn status(&self) -> EndpointStatus {
        EndpointStatus {
            pending: self.events.len() as u64,
            oldest: self.by_time.first().map(|(time, _)| *time),
            dead: self.dead.len() as u64,
            ..self.status.clone()
        }
    }

    pub(in crate::store::memory) fn resume(&mut self) -> bool {
        self.status.stopped_since.take().is_some()
    }
}

/// The id of the event at a position.
fn id_of(position: &str) -> EventId {
    let id = position.rsplit('\n').next().unwrap_or_default();
    EventId::from(id.to_owned())
}

/// The accounted bytes of an event.
fn event_bytes(event: &Event) -> usize {
    let data = event.data.iter();
    let data = data.map(|(name, value)| name.len() + value.as_str().map_or(16, str::len));
    let user_data = event
        .data
        .get("user_data")
        .and_then(|value| value.as_object());
    let pairs = user_data.into_iter().flatten();
    let pairs = pairs.map(|(name, value)| name.len() + value.as_str().map_or(0, str::len));
    OVERHEAD_BYTES + data.sum::<usize>() + pairs.sum::<usize>()
}
