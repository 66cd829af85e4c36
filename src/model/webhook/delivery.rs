//! Deliveries: what a deliverer claims and reports, and what operators see.

use std::time::Duration;

use super::{Event, EventId};
use crate::model::Timestamp;

/// The proof of a claim, which only the store interprets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// The end of the lease. It differs from that of any other claim of the queue.
    pub(crate) until: Timestamp,
    /// The positions of the claimed events in their queue, in the same order.
    pub(crate) positions: Vec<String>,
}

/// The first events of a queue, claimed for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedQueue {
    /// The queue: [`Event::queue`] of its events.
    pub queue: String,
    /// The number of failed attempts to deliver the first event.
    pub failed_attempts: u32,
    /// The events, at most [`MAX_CLAIMED_EVENTS`](super::MAX_CLAIMED_EVENTS), in the order of delivery.
    pub events: Vec<Event>,
    /// Whether the event after these cannot be parsed. It is part of the claim.
    pub is_next_unreadable: bool,
    /// The claim, for the result.
    pub claim: DeliveryClaim,
}

/// The result of delivering from a claimed queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueResult {
    /// The queue.
    pub queue: String,
    /// Its claim.
    pub claim: DeliveryClaim,
    /// Its first events, which were delivered.
    pub delivered: Vec<EventId>,
    /// The failure of the event after these; `None` if there was none: the rest was not attempted.
    pub failure: Option<DeliveryFailure>,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The reason, for operators.
    pub error: String,
    /// What happens next.
    pub next: NextAttempt,
}

impl QueueResult {
    /// The positions of the delivered events, and that of the event after them.
    pub(crate) fn positions(&self) -> (&[String], Option<&String>) {
        let all = &self.claim.positions;
        let (delivered, rest) = all.split_at(self.delivered.len().min(all.len()));
        (delivered, rest.first())
    }
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextAttempt {
    /// The queue is due again after this time.
    After(Duration),
    /// The event becomes a dead letter, and the queue continues with the next one.
    DeadLetter,
    /// Nothing is delivered to the endpoint until it is resumed.
    StopEndpoint,
}

/// The state of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointStatus {
    /// The number of pending events.
    pub pending: u64,
    /// The time of the oldest pending event.
    pub oldest: Option<Timestamp>,
    /// The number of dead letters.
    pub dead: u64,
    /// The number of events delivered so far.
    pub delivered: u64,
    /// The number of failed attempts so far.
    pub failed: u64,
    /// The number of events that have become dead letters so far.
    pub became_dead: u64,
    /// The time of the last successful delivery.
    pub last_success: Option<Timestamp>,
    /// The time and the reason of the last failed attempt.
    pub last_failure: Option<(Timestamp, String)>,
    /// The time since which the endpoint is stopped.
    pub stopped_since: Option<Timestamp>,
}

/// An event that is not delivered any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub event: Event,
    /// The number of failed attempts.
    pub attempts: u32,
    /// The last error, or why there was no attempt.
    pub reason: String,
    /// When it became a dead letter.
    pub at: Timestamp,
}

/// Which dead letters become pending events again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resend {
    /// The one with this id.
    One(EventId),
    /// Those that became dead letters at or after this time.
    Since(Timestamp),
}
