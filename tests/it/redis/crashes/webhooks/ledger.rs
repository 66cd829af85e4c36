//! What was changed, what was received, and whether both agree.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use switchboard::{
    model::{
        ServiceId,
        webhook::{
            Event,
            EventType::{
                self, NumberBooked, NumberLapsed, NumberMatched, NumberReleased, ServiceCreated,
                ServiceDeleted, ServiceExpired,
            },
            WebhookEndpoint,
        },
    },
    store::redis::RedisStore,
};

use crate::support::webhooks::{DEFINITION, GROUP, deliver};

/// What was attempted and acknowledged for a service: the numbers of attempts and acknowledgments by type.
pub(super) type Ledger = HashMap<ServiceId, HashMap<EventType, (usize, usize)>>;

#[derive(Clone, Default)]
pub(super) struct Changes(Arc<Mutex<Ledger>>);

impl Changes {
    pub(super) fn attempt(&self, id: &ServiceId, event_type: EventType) {
        self.add(id, event_type, (1, 0));
    }

    pub(super) fn acknowledge(&self, id: &ServiceId, event_type: EventType) {
        self.add(id, event_type, (0, 1));
    }

    fn add(
        &self,
        id: &ServiceId,
        event_type: EventType,
        (attempts, acknowledgments): (usize, usize),
    ) {
        let mut ledger = self.0.lock().unwrap();
        let of_service = ledger.entry(id.clone()).or_default();
        let counts = of_service.entry(event_type).or_default();
        counts.0 += attempts;
        counts.1 += acknowledgments;
    }

    pub(super) fn acknowledged(&self) -> usize {
        let ledger = self.0.lock().unwrap();
        ledger
            .values()
            .flat_map(HashMap::values)
            .map(|(_, acknowledged)| acknowledged)
            .sum()
    }
}

/// All different events of both endpoints, in the order of their first delivery.
#[derive(Default)]
pub(super) struct Received {
    known: HashSet<String>,
    of_definition: Vec<Event>,
    of_group: Vec<Event>,
}

impl Received {
    pub(super) async fn receive(&mut self, store: &RedisStore) {
        for (endpoint, all) in [
            (
                WebhookEndpoint::of_definition(DEFINITION),
                &mut self.of_definition,
            ),
            (WebhookEndpoint::of_group(GROUP), &mut self.of_group),
        ] {
            for event in deliver(store, &endpoint).await {
                if self.known.insert(format!("{endpoint} {}", event.id)) {
                    all.push(event);
                }
            }
        }
    }
}

/// The types of the events about `id`.
fn types_of(events: &[Event], id: &ServiceId) -> Vec<EventType> {
    let about = events
        .iter()
        .filter(|event| event.service.as_ref() == Some(id));
    about.map(|event| event.event_type).collect()
}

fn count(types: &[EventType], counted: &[EventType]) -> usize {
    types
        .iter()
        .filter(|event_type| counted.contains(event_type))
        .count()
}

/// What contradicts the changes in the events; `None` if every acknowledged change has its event, and no event reports what
/// did not happen.
pub(super) fn find_contradiction(changes: &Changes, received: &Received) -> Option<String> {
    let ledger = changes.0.lock().unwrap();
    let all = received.of_definition.iter().chain(&received.of_group);
    let mut services = all.filter_map(|event| event.service.as_ref());
    if let Some(unknown) = services.find(|id| !ledger.contains_key(id)) {
        return Some(format!("the unknown service {unknown} has an event"));
    }
    ledger.iter().find_map(|(id, changes)| {
        let types = types_of(&received.of_definition, id);
        let numbers = types_of(&received.of_group, id);
        let contradiction = contradiction_of(changes, &types, &numbers)?;
        Some(format!(
            "{contradiction}: {id}: {changes:?}, events {types:?} {numbers:?}"
        ))
    })
}

/// What contradicts the changes of a service in its events.
fn contradiction_of(
    changes: &HashMap<EventType, (usize, usize)>,
    types: &[EventType],
    numbers: &[EventType],
) -> Option<String> {
    for (event_type, (attempted, acknowledged)) in changes {
        let is_number = event_type.as_str().starts_with("number.");
        let events = count(if is_number { numbers } else { types }, &[*event_type]);
        if events < *acknowledged {
            return Some(format!("lost {event_type}"));
        }
        // Any worker may match the call of another one.
        if *event_type != NumberMatched && events > *attempted {
            return Some(format!("invented {event_type}"));
        }
    }
    let created = count(types, &[ServiceCreated]);
    if created > 1 || count(types, &[ServiceDeleted, ServiceExpired]) != created {
        return Some("a service does not begin and end once".to_owned());
    }
    let booked = count(numbers, &[NumberBooked]);
    let released = count(numbers, &[NumberMatched, NumberReleased, NumberLapsed]);
    if booked > 1 || released != booked {
        return Some("a booking does not begin and end once".to_owned());
    }
    let mut lifecycle = types
        .iter()
        .filter(|event| !event.as_str().starts_with("number."));
    let is_end = |event: &EventType| [ServiceDeleted, ServiceExpired].contains(event);
    let is_ordered =
        lifecycle.next() == Some(&ServiceCreated) && lifecycle.next_back().is_some_and(is_end);
    (created == 1 && !is_ordered).then(|| "the order is wrong".to_owned())
}
