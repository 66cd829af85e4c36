//! Events and their types.

use std::fmt;

use ring::digest;
use serde_json::{Map, Value};

use crate::model::{ServiceId, Timestamp};

/// The type of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A service was created; for one with a backend, after the backend has started its session.
    ServiceCreated,
    /// A service has expired.
    ServiceExpired,
    /// A service was deleted.
    ServiceDeleted,
    /// The expiration time of a service was changed.
    ServiceExpirationUpdated,
    /// A number was booked.
    NumberBooked,
    /// A call was matched to a booking, which released the number.
    NumberMatched,
    /// A booking was released before it expired: its service was deleted or not created.
    NumberReleased,
    /// A booking has expired.
    NumberLapsed,
    /// A group had no free number for a request; at most once a minute for each endpoint and group.
    NumberExhausted,
    /// A chat was started.
    ChatStarted,
    /// A party has sent a message.
    ChatMessage,
    /// A chat was ended by a party. A chat that ends with its service has no such event.
    ChatEnded,
    /// An operator requested a test event. No subscription contains it.
    WebhookTest,
}

impl EventType {
    /// All types of which a subscription can consist.
    pub const ALL: [Self; 12] = [
        Self::ServiceCreated,
        Self::ServiceExpired,
        Self::ServiceDeleted,
        Self::ServiceExpirationUpdated,
        Self::NumberBooked,
        Self::NumberMatched,
        Self::NumberReleased,
        Self::NumberLapsed,
        Self::NumberExhausted,
        Self::ChatStarted,
        Self::ChatMessage,
        Self::ChatEnded,
    ];

    /// The name, and the letter in the code of a subscription, which scripts use.
    fn name_and_letter(self) -> (&'static str, char) {
        match self {
            Self::ServiceCreated => ("service.created", 'c'),
            Self::ServiceExpired => ("service.expired", 'e'),
            Self::ServiceDeleted => ("service.deleted", 'd'),
            Self::ServiceExpirationUpdated => ("service.expiration_updated", 'x'),
            Self::NumberBooked => ("number.booked", 'b'),
            Self::NumberMatched => ("number.matched", 'm'),
            Self::NumberReleased => ("number.released", 'r'),
            Self::NumberLapsed => ("number.lapsed", 'l'),
            Self::NumberExhausted => ("number.exhausted", 'o'),
            Self::ChatStarted => ("chat.started", 's'),
            Self::ChatMessage => ("chat.message", 't'),
            Self::ChatEnded => ("chat.ended", 'g'),
            Self::WebhookTest => ("webhook.test", 'w'),
        }
    }

    /// The name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.name_and_letter().0
    }

    /// The letter in the code of a subscription.
    pub(super) fn letter(self) -> char {
        self.name_and_letter().1
    }

    /// Returns the type with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::WebhookTest]);
        all.find(|event_type| event_type.as_str() == name)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of event types.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EventTypes(u16);

impl EventTypes {
    /// All types.
    #[must_use]
    pub fn all() -> Self {
        EventType::ALL.into_iter().collect()
    }

    /// The types about services.
    #[must_use]
    pub fn of_services() -> Self {
        Self::with_prefix("service.")
    }

    /// The types about access numbers.
    #[must_use]
    pub fn of_numbers() -> Self {
        Self::with_prefix("number.")
    }

    /// The types about chats.
    #[must_use]
    pub fn of_chats() -> Self {
        Self::with_prefix("chat.")
    }

    fn with_prefix(prefix: &str) -> Self {
        let types = EventType::ALL.into_iter();
        types
            .filter(|event_type| event_type.as_str().starts_with(prefix))
            .collect()
    }

    /// The types of both sets.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Parses a list of names separated by commas, or `*` for all types.
    ///
    /// # Errors
    /// The first name that is unknown.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::all());
        }
        let names = text.split(',').map(str::trim);
        let parse = |name: &str| {
            let event_type = EventType::parse(name);
            let event_type = event_type.filter(|found| *found != EventType::WebhookTest);
            event_type.ok_or_else(|| name.to_owned())
        };
        names.map(parse).collect()
    }

    /// Whether it contains a type.
    #[must_use]
    pub fn contains(self, event_type: EventType) -> bool {
        self.0 & bit(event_type) != 0
    }

    /// The types in the order of their definition.
    pub fn iter(self) -> impl Iterator<Item = EventType> {
        EventType::ALL
            .into_iter()
            .filter(move |event_type| self.contains(*event_type))
    }
}

fn bit(event_type: EventType) -> u16 {
    1 << event_type as u16
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(types: I) -> Self {
        let types = types.into_iter();
        Self(types.fold(0, |bits, event_type| bits | bit(event_type)))
    }
}

impl fmt::Display for EventTypes {
    /// The names, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(EventType::as_str).collect();
        f.write_str(&names.join(","))
    }
}

/// The id of an event. Repetitions of one event have one id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(String);

impl EventId {
    /// The id of the event of this type about `subject`: the id of the service or the name of the group. `fact`
    /// distinguishes it from other events of the type about the subject.
    #[must_use]
    pub fn new(event_type: EventType, subject: &str, fact: &str) -> Self {
        let text = [event_type.as_str(), subject, fact].join("\n");
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self(format!("evt_{}", hex.collect::<String>()))
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for EventId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id.
    pub id: EventId,
    /// The type.
    pub event_type: EventType,
    /// The time of the change.
    pub time: Timestamp,
    /// The service, if it concerns one.
    pub service: Option<ServiceId>,
    /// The name of the configured service, if it is known.
    pub definition: Option<String>,
    /// What belongs to the type; times are milliseconds since 1970.
    pub data: Map<String, Value>,
}

impl Event {
    /// The queue of the event within its endpoint: events of one service are delivered in order. An event that is
    /// independent of all others has a queue of its own, so that it does not wait for another one that fails.
    #[must_use]
    pub fn queue(&self) -> &str {
        match self.event_type {
            EventType::WebhookTest | EventType::NumberExhausted => self.id.as_str(),
            _ => self.service.as_ref().map_or("", ServiceId::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters_are_unique_and_parse() {
        let mut letters = std::collections::HashSet::from(['u']);
        for event_type in EventType::ALL.into_iter().chain([EventType::WebhookTest]) {
            assert_eq!(EventType::parse(event_type.as_str()), Some(event_type));
            assert!(letters.insert(event_type.letter()), "{event_type}");
        }
        assert_eq!(EventType::parse("service"), None);
    }

    #[test]
    fn a_set_is_parsed_from_a_list() {
        let parsed = EventTypes::parse("number.matched, service.created").unwrap();
        assert_eq!(parsed.to_string(), "service.created,number.matched");
        assert!(parsed.contains(EventType::NumberMatched));
        assert!(!parsed.contains(EventType::NumberBooked));
        assert_eq!(EventTypes::parse(" * ").unwrap(), EventTypes::all());
        assert_eq!(EventTypes::all().iter().count(), 12);
        for unknown in ["number.match", "", "webhook.test"] {
            let list = format!("chat.ended,{unknown}");
            assert_eq!(EventTypes::parse(&list), Err(unknown.to_owned()));
        }
    }

    #[test]
    fn the_sets_of_subjects_are_all_types() {
        let (services, numbers) = (EventTypes::of_services(), EventTypes::of_numbers());
        assert_eq!((services.iter().count(), numbers.iter().count()), (4, 5));
        let all = services.union(numbers).union(EventTypes::of_chats());
        assert_eq!(all, EventTypes::all());
    }

    #[test]
    fn independent_events_have_queues_of_their_own() {
        let event = |event_type| Event {
            id: EventId::from("evt_1".to_owned()),
            event_type,
            time: Timestamp::default(),
            service: Some(ServiceId::from("4711".to_owned())),
            definition: None,
            data: Map::new(),
        };
        assert_eq!(event(EventType::NumberBooked).queue(), "4711");
        for event_type in [EventType::NumberExhausted, EventType::WebhookTest] {
            assert_eq!(event(event_type).queue(), "evt_1");
        }
    }

    #[test]
    fn an_id_is_the_hash_of_its_event() {
        // printf 'service.created\na\n1' | sha1sum
        let id = EventId::new(EventType::ServiceCreated, "a", "1");
        assert_eq!(id.as_str(), "evt_e8fea63b9371dede29621043fe88103eab3f3f59");
        assert_ne!(id, EventId::new(EventType::ServiceCreated, "a", "2"));
    }
}
