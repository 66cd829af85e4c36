//! The events of changes in the embedded store. The scripts of Redis write the same ones.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{
    ServiceRecord, State, cost_of,
    endpoint_queue::{EndpointQueue, OVERHEAD_BYTES},
};
use crate::{
    model::{
        KeyName, ServiceId, StoreError, Timestamp, Value as StoredValue,
        webhook::{Event, EventId, EventType, MAX_USER_DATA_BYTES, Subscription, WebhookEndpoint},
    },
    store::webhook_hub::WebhookHub,
};

mod chats;
mod number_event;
mod numbers;

pub(super) use self::number_event::NumberEvent;

/// The queues of all endpoints.
#[derive(Default)]
pub(in crate::store::memory) struct WebhookTable {
    pub(in crate::store::memory) endpoints: HashMap<WebhookEndpoint, EndpointQueue>,
    pub(in crate::store::memory) hub: WebhookHub,
}

impl WebhookTable {
    /// Adds an event, and signals it.
    pub(in crate::store::memory) fn add(
        &mut self,
        endpoint: &WebhookEndpoint,
        event: Event,
        now: Timestamp,
    ) {
        let limits = self.hub.limits();
        let queue = self.endpoints.entry(endpoint.clone()).or_default();
        queue.add(event, now, limits);
        self.hub.signal(endpoint);
    }

    /// The accounted bytes of all events.
    pub(super) fn used_bytes(&self) -> usize {
        self.endpoints.values().map(|queue| queue.bytes).sum()
    }

    /// The queue of an endpoint.
    pub(in crate::store::memory) fn queue(
        &mut self,
        endpoint: &WebhookEndpoint,
    ) -> &mut EndpointQueue {
        self.endpoints.entry(endpoint.clone()).or_default()
    }
}

/// An event of a service, for the endpoint of its configured service.
pub(super) struct ServiceEvent<'a> {
    pub(super) id: &'a ServiceId,
    pub(super) definition: &'a str,
    pub(super) event_type: EventType,
    pub(super) fact: String,
    pub(super) data: Map<String, Value>,
}

impl ServiceEvent<'_> {
    fn into_event(self, time: Timestamp) -> (WebhookEndpoint, Event) {
        let event = Event {
            id: EventId::new(self.event_type, self.id.as_str(), &self.fact),
            event_type: self.event_type,
            time,
            service: Some(self.id.clone()),
            definition: Some(self.definition.to_owned()),
            data: self.data,
        };
        (WebhookEndpoint::of_definition(self.definition), event)
    }
}

impl ServiceRecord {
    /// The subscription if it contains `event_type` and the create is finished.
    pub(super) fn subscription(&self, event_type: EventType) -> Option<Subscription> {
        let subscription = self.webhook.filter(|_| !self.is_pending)?;
        subscription
            .events
            .contains(event_type)
            .then_some(subscription)
    }

    /// The bytes that events with `text_bytes` of a chat require.
    pub(in crate::store::memory) fn required_for_events(&self, text_bytes: usize) -> usize {
        let subscription = self.webhook.filter(|_| text_bytes > 0 && !self.is_pending);
        subscription.map_or(0, |subscription| {
            let texts = if subscription.with_user_data {
                text_bytes
            } else {
                0
            };
            OVERHEAD_BYTES + texts
        })
    }

    /// An event about the service, if its endpoint subscribed to it.
    fn event<'a>(
        &'a self,
        id: &'a ServiceId,
        event_type: EventType,
        fact: String,
    ) -> Option<ServiceEvent<'a>> {
        self.subscription(event_type)?;
        Some(ServiceEvent {
            id,
            definition: &self.definition,
            event_type,
            fact,
            data: Map::new(),
        })
    }

    fn created_event<'a>(&'a self, id: &'a ServiceId) -> Option<ServiceEvent<'a>> {
        let fact = self.created.millis().to_string();
        let mut event = self.event(id, EventType::ServiceCreated, fact)?;
        if self.webhook?.with_user_data {
            event.data = self.user_data();
        }
        Some(event)
    }

    /// The strings of the service, if they are not too large.
    fn user_data(&self) -> Map<String, Value> {
        let text = |(name, value): (&KeyName, &StoredValue)| match value {
            StoredValue::Text(text) => Some((name.as_str().to_owned(), text.clone())),
            StoredValue::Binary(_) => None,
        };
        let texts: Vec<(String, String)> = self.values.iter().filter_map(text).collect();
        let bytes: usize = texts
            .iter()
            .map(|(name, text)| name.len() + text.len())
            .sum();
        let (name, value) = if bytes > MAX_USER_DATA_BYTES {
            ("user_data_omitted", Value::Bool(true))
        } else {
            let texts = texts
                .into_iter()
                .map(|(name, text)| (name, Value::String(text)));
            ("user_data", Value::Object(texts.collect()))
        };
        Map::from_iter([(name.to_owned(), value)])
    }
}

impl State {
    fn add_service_event(
        webhooks: &mut WebhookTable,
        event: Option<ServiceEvent<'_>>,
        now: Timestamp,
    ) {
        if let Some(event) = event {
            let (endpoint, event) = event.into_event(now);
            webhooks.add(&endpoint, event, now);
        }
    }

    /// Checks that there is space for the strings of a new service, and for its event.
    pub(in crate::store::memory) fn check_room_for_service(
        &self,
        record: &ServiceRecord,
        values: &[(KeyName, StoredValue)],
    ) -> Result<(), StoreError> {
        let data = cost_of(values);
        let event = record.subscription(EventType::ServiceCreated);
        let event = event.map_or(0, |subscription| {
            let user_data = Some(data).filter(|_| subscription.with_user_data);
            OVERHEAD_BYTES
                + user_data
                    .filter(|bytes| *bytes <= MAX_USER_DATA_BYTES)
                    .unwrap_or(0)
        });
        self.check_room(data + event)
    }

    /// Adds `service.created`.
    pub(in crate::store::memory) fn add_created_event(&mut self, id: &ServiceId) {
        let now = self.clock.now();
        if let Some(record) = self.services.get(id) {
            Self::add_service_event(&mut self.webhooks, record.created_event(id), now);
        }
    }

    /// Adds `service.expiration_updated`.
    pub(in crate::store::memory) fn add_expiration_event(&mut self, id: &ServiceId) {
        let (now, fact) = (self.clock.now(), self.clock.now_micros().to_string());
        let Some(record) = self.services.get(id) else {
            return;
        };
        let mut event = record.event(id, EventType::ServiceExpirationUpdated, fact);
        if let Some(event) = &mut event {
            let end = json!(record.end.millis());
            event.data.insert("expires_at".to_owned(), end);
        }
        Self::add_service_event(&mut self.webhooks, event, now);
    }

    /// Adds `service.deleted` or `service.expired` for a removed service.
    pub(super) fn add_end_event(
        &mut self,
        id: &ServiceId,
        record: &ServiceRecord,
        event_type: EventType,
    ) {
        let now = self.clock.now();
        let fact = record.created.millis().to_string();
        let event = record.event(id, event_type, fact);
        Self::add_service_event(&mut self.webhooks, event, now);
    }
}
