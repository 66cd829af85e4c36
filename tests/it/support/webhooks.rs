//! Helpers of tests of webhook events.

use std::time::Duration;

use switchboard::{
    model::{
        NewService, ServiceId,
        webhook::{
            BookingWebhooks, Event, EventType, EventTypes, QueueResult, Subscription,
            WebhookEndpoint,
        },
    },
    store::{AdminStore, memory::MemoryStore, redis::RedisStore},
};

use super::{eventually, stores::empty_service};

/// The configured service and the resource group with a webhook.
pub(crate) const DEFINITION: &str = "chat";
pub(crate) const GROUP: &str = "DNIS";

/// A store whose events reach the queues of their endpoints during a test.
pub(crate) trait EventRelay: AdminStore + Sized {
    /// Runs `test` while events are relayed.
    async fn relaying<T>(&self, test: impl Future<Output = T>) -> T;
}

impl EventRelay for MemoryStore {
    async fn relaying<T>(&self, test: impl Future<Output = T>) -> T {
        test.await
    }
}

impl EventRelay for RedisStore {
    async fn relaying<T>(&self, test: impl Future<Output = T>) -> T {
        tokio::select! {
            () = self.relay_events() => panic!("the relay has ended"),
            result = test => result,
        }
    }
}

pub(crate) fn subscription(with_user_data: bool) -> Subscription {
    Subscription {
        events: EventTypes::all(),
        with_user_data,
    }
}

/// A service whose definition subscribes to all events.
pub(crate) fn service_with_webhook(with_user_data: bool) -> NewService {
    NewService {
        definition: DEFINITION.to_owned(),
        webhook: Some(subscription(with_user_data)),
        ..empty_service()
    }
}

/// Subscriptions of the definition and of the group to all events; only those of the definition have user data.
pub(crate) fn booking_webhooks() -> BookingWebhooks {
    BookingWebhooks {
        definition: DEFINITION.to_owned(),
        of_definition: Some(subscription(true)),
        of_group: Some(subscription(false)),
    }
}

/// Delivers all due events of an endpoint and returns them.
pub(crate) async fn deliver(store: &dyn AdminStore, endpoint: &WebhookEndpoint) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let lease = Duration::from_secs(60);
        let claimed = store.claim_deliveries(endpoint, 1_000, lease).await;
        let claimed = claimed.unwrap();
        if claimed.is_empty() {
            return events;
        }
        let result = |queue: &switchboard::model::webhook::ClaimedQueue| QueueResult {
            queue: queue.queue.clone(),
            claim: queue.claim.clone(),
            delivered: queue.events.iter().map(|event| event.id.clone()).collect(),
            failure: None,
        };
        let results = claimed.iter().map(result).collect();
        store.finish_deliveries(endpoint, results).await.unwrap();
        events.extend(claimed.into_iter().flat_map(|queue| queue.events));
    }
}

/// Delivers events of an endpoint until there are `count` of them. An event that is repeated counts once.
pub(crate) async fn events(
    store: &dyn AdminStore,
    endpoint: &WebhookEndpoint,
    count: usize,
) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    eventually("the events are relayed", async || {
        for event in deliver(store, endpoint).await {
            if all.iter().all(|other| other.id != event.id) {
                all.push(event);
            }
        }
        (all.len() >= count).then_some(())
    })
    .await;
    all
}

/// The types of the events.
pub(crate) fn types(events: &[Event]) -> Vec<EventType> {
    events.iter().map(|event| event.event_type).collect()
}

/// The events about a service.
pub(crate) fn about(events: &[Event], id: &ServiceId) -> Vec<Event> {
    let events = events.iter();
    let events = events.filter(|event| event.service.as_ref() == Some(id));
    events.cloned().collect()
}
