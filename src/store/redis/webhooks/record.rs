//! The records of events in Redis: JSON objects, which scripts make.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::{
    ServiceId, StoreError, Timestamp,
    webhook::{Event, EventId, EventType, WebhookEndpoint},
};

/// A record. `scripts/events.lua` makes the same one.
#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    time: i64,
    endpoint: String,
    service: Option<String>,
    definition: Option<String>,
    #[serde(default)]
    data: Map<String, Value>,
}

/// The record of an event, and what of it a relay needs. Nothing else is parsed: an event of a type that this version does
/// not know is relayed like any other.
pub(super) struct EventRecord {
    pub(super) id: String,
    pub(super) queue: String,
    pub(super) time: i64,
    pub(super) text: String,
}

/// The part of a record for [`EventRecord`].
#[derive(Deserialize)]
struct Envelope {
    id: String,
    time: i64,
    endpoint: String,
    service: Option<String>,
}

impl EventRecord {
    /// Makes the record of an event.
    pub(super) fn new(endpoint: &WebhookEndpoint, event: &Event) -> Self {
        Self {
            id: event.id.to_string(),
            queue: event.queue().to_owned(),
            time: event.time.millis(),
            text: format_record(endpoint, event),
        }
    }

    /// Parses a record from an outbox. An event without a service needs no order, so it has a queue of its own.
    pub(super) fn parse(text: String) -> Result<(WebhookEndpoint, Self), StoreError> {
        let envelope = serde_json::from_str(&text).map_err(|_invalid| corrupt_record())?;
        let Envelope {
            id,
            time,
            endpoint,
            service,
        } = envelope;
        let endpoint = WebhookEndpoint::parse(&endpoint).ok_or_else(corrupt_record)?;
        let queue = service.unwrap_or_else(|| id.clone());
        let record = Self {
            id,
            queue,
            time,
            text,
        };
        Ok((endpoint, record))
    }
}

fn corrupt_record() -> StoreError {
    StoreError::Corrupt("webhook event".to_owned())
}

/// Makes the record of an event.
fn format_record(endpoint: &WebhookEndpoint, event: &Event) -> String {
    let mut record = json!({
        "id": event.id.as_str(),
        "type": event.event_type.as_str(),
        "time": event.time.millis(),
        "endpoint": endpoint.to_string(),
        "data": event.data,
    });
    if let Some(service) = &event.service {
        record["service"] = json!(service.as_str());
    }
    if let Some(definition) = &event.definition {
        record["definition"] = json!(definition);
    }
    record.to_string()
}

/// Parses a record.
pub(super) fn parse_record(text: &str) -> Result<(WebhookEndpoint, Event), StoreError> {
    let record: Record = serde_json::from_str(text).map_err(|_invalid| corrupt_record())?;
    let endpoint = WebhookEndpoint::parse(&record.endpoint).ok_or_else(corrupt_record)?;
    let event = Event {
        id: EventId::from(record.id),
        event_type: EventType::parse(&record.event_type).ok_or_else(corrupt_record)?,
        time: Timestamp::from_millis(record.time),
        service: record.service.map(ServiceId::from),
        definition: record.definition,
        data: record.data,
    };
    Ok((endpoint, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip() {
        for service in [None, Some(ServiceId::from("a\"b".to_owned()))] {
            let event = Event {
                id: EventId::new(EventType::ServiceCreated, "a", "1"),
                event_type: EventType::ServiceCreated,
                time: Timestamp::from_millis(1_795_455_943_120),
                definition: service.as_ref().map(|_| "chat".to_owned()),
                service,
                data: Map::from_iter([("user_data".to_owned(), json!({"a": "\u{1}\u{e9}"}))]),
            };
            let endpoint = WebhookEndpoint::of_definition("chat");
            let record = format_record(&endpoint, &event);
            assert_eq!(parse_record(&record).unwrap(), (endpoint, event));
        }
        assert!(parse_record("{}").is_err());
    }

    #[test]
    fn an_event_of_an_unknown_type_is_relayed() {
        let text = r#"{"id":"evt_1","type":"new","time":5,"endpoint":"services/chat"}"#;
        let (endpoint, record) = EventRecord::parse(text.to_owned()).unwrap();
        assert_eq!(endpoint, WebhookEndpoint::of_definition("chat"));
        let parts = (record.id.as_str(), record.queue.as_str(), record.time);
        assert_eq!(parts, ("evt_1", "evt_1", 5));
        assert_eq!(record.text, text);
        assert!(parse_record(text).is_err());
        let of_service = text.replace('}', r#","service":"a"}"#);
        assert_eq!(EventRecord::parse(of_service).unwrap().1.queue, "a");
        assert!(EventRecord::parse("{}".to_owned()).is_err());
    }
}
