//! Webhooks: events that are delivered to the endpoints of configured services and resource groups.
//!
//! An *endpoint* is the webhook of one configured service or of one resource group. What it subscribes to is recorded
//! with a service, booking or chat when it is made, so a store writes the events of a change without the catalog; the
//! URL and the secrets of an endpoint are determined when an event is delivered.

use std::fmt;

use super::Table;

pub use self::{
    delivery::{
        ClaimedQueue, DeadLetter, DeliveryClaim, DeliveryFailure, EndpointStatus, NextAttempt,
        QueueResult, Resend,
    },
    event::{Event, EventId, EventType, EventTypes},
};

mod delivery;
mod event;

/// The maximum number of events of one queue that are claimed at once.
pub const MAX_CLAIMED_EVENTS: usize = 16;
/// The maximum number of endpoints that a store lists: as many as a catalog can have entries.
pub const MAX_LISTED_ENDPOINTS: usize = 10_000;
/// The maximum size of the user data in `service.created`: the bytes of names and values.
pub const MAX_USER_DATA_BYTES: usize = 32 * 1024;

/// The webhook of a configured service or of a resource group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookEndpoint {
    /// The table of the entry that has the webhook.
    pub table: Table,
    /// The name of that entry.
    pub name: String,
}

impl WebhookEndpoint {
    /// The webhook of the configured service `name`.
    #[must_use]
    pub fn of_definition(name: &str) -> Self {
        Self {
            table: Table::Services,
            name: name.to_owned(),
        }
    }

    /// The webhook of the resource group `name`.
    #[must_use]
    pub fn of_group(name: &str) -> Self {
        Self {
            table: Table::Resources,
            name: name.to_owned(),
        }
    }

    /// Parses the form of `Display`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (table, name) = text.split_once('/')?;
        Some(Self {
            table: Table::from_name(table)?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for WebhookEndpoint {
    /// `services/<name>` or `resources/<name>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table.name(), self.name)
    }
}

/// What an endpoint subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// The types of its events.
    pub events: EventTypes,
    /// Whether its events contain user data: data and texts of clients, and the numbers of callers.
    pub with_user_data: bool,
}

/// The letter of [`Subscription::with_user_data`] in a code.
const USER_DATA_LETTER: char = 'u';

impl Subscription {
    /// The code under which stores record it: a letter for each type, and one for user data.
    #[must_use]
    pub fn code(self) -> String {
        let mut code: String = self.events.iter().map(EventType::letter).collect();
        if self.with_user_data {
            code.push(USER_DATA_LETTER);
        }
        code
    }
}

/// The subscriptions to the events of a booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookingWebhooks {
    /// The name of the configured service that books.
    pub definition: String,
    /// The subscription of the endpoint of that configured service.
    pub of_definition: Option<Subscription>,
    /// The subscription of the endpoint of the group.
    pub of_group: Option<Subscription>,
}

/// The limits of the queue of each endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookLimits {
    /// The maximum number of pending events. Beyond it the oldest ones become dead letters.
    pub max_pending: usize,
    /// The maximum number of dead letters. Beyond it the oldest ones are dropped.
    pub max_dead_letters: usize,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self {
            max_pending: 100_000,
            max_dead_letters: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_round_trips() {
        for endpoint in [
            WebhookEndpoint::of_definition("chat"),
            WebhookEndpoint::of_group("a/b c}"),
            WebhookEndpoint::of_group(""),
        ] {
            assert_eq!(
                WebhookEndpoint::parse(&endpoint.to_string()),
                Some(endpoint)
            );
        }
        for text in ["", "chat", "group/chat", "Services/chat"] {
            assert_eq!(WebhookEndpoint::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_code_of_a_subscription_shows_its_types_and_user_data() {
        let events: EventTypes = [EventType::ServiceCreated, EventType::ChatEnded]
            .into_iter()
            .collect();
        let mut subscription = Subscription {
            events,
            with_user_data: false,
        };
        assert_eq!(subscription.code(), "cg");
        subscription.with_user_data = true;
        assert_eq!(subscription.code(), "cgu");
    }
}
