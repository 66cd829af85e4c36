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

/// Makes the record of an event.
pub(super) fn format_record(endpoint: &WebhookEndpoint, event: &Event) -> String {
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
    let corrupt = || StoreError::Corrupt("webhook event".to_owned());
    let record: Record = serde_json::from_str(text).map_err(|_invalid| corrupt())?;
    let endpoint = WebhookEndpoint::parse(&record.endpoint).ok_or_else(corrupt)?;
    let event = Event {
        id: EventId::from(record.id),
        event_type: EventType::parse(&record.event_type).ok_or_else(corrupt)?,
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
}
