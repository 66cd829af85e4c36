//! The body of a request: an event as JSON.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{ServiceId, Timestamp, webhook::Event};

/// The members of the data whose values are times, in milliseconds since 1970 in the store.
const TIMES: [&str; 1] = ["expires_at"];

#[derive(Serialize)]
struct Payload<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<ServiceMember<'a>>,
    data: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct ServiceMember<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<&'a str>,
}

/// Composes the body of the request that sends `event`.
///
/// # Errors
/// None for data that was parsed from JSON.
pub(super) fn compose(event: &Event) -> serde_json::Result<Vec<u8>> {
    let (id, definition) = (
        event.service.as_ref().map(ServiceId::as_str),
        event.definition.as_deref(),
    );
    let is_known = id.is_some() || definition.is_some();
    let with_times = TIMES.iter().any(|name| event.data.contains_key(*name));
    let formatted = with_times.then(|| format_times(event.data.clone()));
    serde_json::to_vec(&Payload {
        id: event.id.as_str(),
        event_type: event.event_type.as_str(),
        time: event.time.to_string(),
        service: is_known.then_some(ServiceMember { id, definition }),
        data: formatted.as_ref().unwrap_or(&event.data),
    })
}

fn format_times(mut data: Map<String, Value>) -> Map<String, Value> {
    for name in TIMES {
        let time = data.get(name).and_then(Value::as_i64);
        if let Some(millis) = time {
            let text = Timestamp::from_millis(millis).to_string();
            data.insert(name.to_owned(), Value::String(text));
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::webhook::{EventId, EventType};

    fn body(event: &Event) -> Value {
        serde_json::from_slice(&compose(event).unwrap()).unwrap()
    }

    #[test]
    fn a_body_has_id_type_time_service_and_data() {
        let data = json!({"expires_at": 1_795_455_943_120_i64, "group": "DNIS"});
        let mut event = Event {
            id: EventId::from("evt_1".to_owned()),
            event_type: EventType::NumberBooked,
            time: Timestamp::from_millis(1_000),
            service: Some(ServiceId::from("4711".to_owned())),
            definition: Some("shop".to_owned()),
            data: data.as_object().unwrap().clone(),
        };
        let expected = json!({
            "id": "evt_1",
            "type": "number.booked",
            "time": "1970-01-01T00:00:01.000Z",
            "service": {"id": "4711", "definition": "shop"},
            "data": {"expires_at": "2026-11-23T17:45:43.120Z", "group": "DNIS"},
        });
        assert_eq!(body(&event), expected);
        event.service = None;
        assert_eq!(body(&event)["service"], json!({"definition": "shop"}));
        event.definition = None;
        event.data.clear();
        let members = body(&event);
        assert_eq!(members.get("service"), None);
        assert_eq!(members["data"], json!({}));
    }
}
