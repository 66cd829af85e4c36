//! Model test: random operations on services with random subscriptions. Each endpoint has exactly the events of the
//! changes that it subscribed to, those of one service in the order of the changes.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use switchboard::model::{
    AllocationStrategy, BookResult, Booking, BookingOwner, BookingRequest, Call, CreateResult,
    Group, MatchResult, NewService, ServiceId,
    chat::{ChatAction, ChatReply, ChatWindow},
    webhook::{
        BookingWebhooks, Event,
        EventType::{
            self, ChatEnded, ChatMessage, ChatStarted, NumberBooked, NumberMatched, NumberReleased,
            ServiceCreated, ServiceDeleted, ServiceExpirationUpdated,
        },
        EventTypes, Subscription, WebhookEndpoint,
    },
};

use super::{of_definition, of_group};
use crate::support::{
    bookings::{booking_request, resource_group},
    eventually,
    stores::{in_ms, on_every_store},
    webhooks::{DEFINITION, EventRelay, GROUP, deliver, service_with_webhook},
};

on_every_store!(every_event_is_that_of_one_change);

const STEPS: usize = 300;
const NUMBERS: usize = 8;

/// A service of the model.
struct ModelService {
    subscription: Option<Subscription>,
    is_pending: bool,
    bookings: Vec<(Booking, BookingWebhooks)>,
    has_chat: bool,
    chat_ended: bool,
}

/// The expected events by endpoint and service, in the order of the changes. Those of services and those of numbers have
/// no order among each other.
#[derive(Default)]
struct Expected(BTreeMap<(WebhookEndpoint, String, bool), Vec<EventType>>);

impl Expected {
    fn add(
        &mut self,
        endpoint: WebhookEndpoint,
        subscription: Option<Subscription>,
        id: &ServiceId,
        event_type: EventType,
    ) {
        if subscription.is_some_and(|subscription| subscription.events.contains(event_type)) {
            let key = (endpoint, id.to_string(), is_number(event_type));
            self.0.entry(key).or_default().push(event_type);
        }
    }

    fn add_number(&mut self, id: &ServiceId, webhooks: &BookingWebhooks, event_type: EventType) {
        self.add(of_group(), webhooks.of_group, id, event_type);
        self.add(of_definition(), webhooks.of_definition, id, event_type);
    }

    fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

fn is_number(event_type: EventType) -> bool {
    event_type.as_str().starts_with("number.")
}

struct Model<'a, S> {
    store: &'a S,
    random: StdRng,
    group: std::sync::Arc<Group>,
    services: HashMap<ServiceId, ModelService>,
    expected: Expected,
}

impl<S: EventRelay> Model<'_, S> {
    fn subscription(&mut self) -> Option<Subscription> {
        let types = EventType::ALL
            .into_iter()
            .filter(|_| self.random.random_bool(0.6));
        let events: EventTypes = types.collect();
        self.random.random_bool(0.8).then_some(Subscription {
            events,
            with_user_data: events.contains(NumberMatched),
        })
    }

    fn chosen(&mut self) -> Option<ServiceId> {
        let mut ids: Vec<&ServiceId> = self.services.keys().collect();
        ids.sort_by_key(|id| id.as_str());
        ids.into_iter().choose(&mut self.random).cloned()
    }

    fn add(&mut self, id: &ServiceId, event_type: EventType) {
        let service = &self.services[id];
        if !service.is_pending {
            let subscription = service.subscription;
            self.expected
                .add(of_definition(), subscription, id, event_type);
        }
    }

    async fn step(&mut self) {
        let choice = self.random.random_range(0..100_u32);
        let Some(id) = self.chosen().filter(|_| choice >= 30) else {
            return self.create().await;
        };
        match choice {
            0..45 => self.set_end(&id).await,
            45..55 => self.book(&id).await,
            55..65 => self.match_call(&id).await,
            65..90 => self.chat(&id).await,
            _ => self.delete(&id).await,
        }
    }

    async fn create(&mut self) {
        let service = NewService {
            webhook: self.subscription(),
            is_pending: self.random.random_bool(0.2),
            ..service_with_webhook(false)
        };
        let id = service.id.clone();
        self.services.insert(
            id.clone(),
            ModelService {
                subscription: service.webhook,
                is_pending: service.is_pending,
                bookings: Vec::new(),
                has_chat: false,
                chat_ended: false,
            },
        );
        assert_eq!(
            self.store.create(service).await.unwrap(),
            CreateResult::Created
        );
        self.add(&id, ServiceCreated);
    }

    async fn set_end(&mut self, id: &ServiceId) {
        if self.services[id].is_pending && self.random.random_bool(0.5) {
            self.store
                .finish_create(id, in_ms(90_000), None)
                .await
                .unwrap()
                .unwrap();
            self.services.get_mut(id).unwrap().is_pending = false;
            return self.add(id, ServiceCreated);
        }
        self.store
            .set_end(id, in_ms(90_000))
            .await
            .unwrap()
            .unwrap();
        self.add(id, ServiceExpirationUpdated);
    }

    async fn book(&mut self, id: &ServiceId) {
        let webhooks = BookingWebhooks {
            definition: DEFINITION.to_owned(),
            of_definition: self.subscription(),
            of_group: self.subscription(),
        };
        let request = BookingRequest {
            webhooks: Some(webhooks.clone()),
            ..booking_request(80_000)
        };
        let owner = BookingOwner::Existing(id);
        let booked = self
            .store
            .book_number(owner, &self.group, &request)
            .await
            .unwrap();
        if let BookResult::Booked(booking) = booked {
            self.expected.add_number(id, &webhooks, NumberBooked);
            self.services
                .get_mut(id)
                .unwrap()
                .bookings
                .push((booking, webhooks));
        }
    }

    async fn match_call(&mut self, id: &ServiceId) {
        let Some((booking, webhooks)) = self.services.get_mut(id).unwrap().bookings.pop() else {
            return;
        };
        let call = Call {
            dialed: vec![format!("+1{}", booking.number)],
            code: None,
            callers: Vec::new(),
            regions: Vec::new(),
        };
        let matched = self
            .store
            .match_call(&[GROUP.to_owned()], &call)
            .await
            .unwrap();
        assert_eq!(matched, MatchResult::Matched(id.clone()));
        self.expected.add_number(id, &webhooks, NumberMatched);
        let repeated = self
            .store
            .match_call(&[GROUP.to_owned()], &call)
            .await
            .unwrap();
        assert_eq!(repeated, MatchResult::NoMatch { has_expired: false });
    }

    async fn chat(&mut self, id: &ServiceId) {
        if !self.services[id].has_chat {
            let chat = super::super::chats::new_chat();
            self.store.start_chat(id, &chat).await.unwrap();
            self.services.get_mut(id).unwrap().has_chat = true;
            return self.add(id, ChatStarted);
        }
        let ends = self.random.random_bool(0.1);
        let text = self.random.random_bool(0.7).then(|| "Hi".to_owned());
        let has_text = text.is_some();
        let action = if ends {
            ChatAction::ClientEnd(text)
        } else {
            ChatAction::ClientRefresh(text)
        };
        let reply = self
            .store
            .update_chat(id, &action, ChatWindow::After(0))
            .await
            .unwrap();
        assert!(matches!(reply, ChatReply::Chat(..)), "{reply:?}");
        if self.services[id].chat_ended {
            return;
        }
        if has_text {
            self.add(id, ChatMessage);
        }
        if ends {
            self.add(id, ChatEnded);
            self.services.get_mut(id).unwrap().chat_ended = true;
        }
    }

    async fn delete(&mut self, id: &ServiceId) {
        let bookings = std::mem::take(&mut self.services.get_mut(id).unwrap().bookings);
        for (booking, webhooks) in bookings {
            self.store.release_number(id, &booking).await.unwrap();
            self.expected.add_number(id, &webhooks, NumberReleased);
        }
        self.store.delete(id).await.unwrap().unwrap();
        self.add(id, ServiceDeleted);
        self.services.remove(id);
    }
}

/// The delivered events in the form of the expected ones. `number.exhausted` has no service.
fn received(endpoint: &WebhookEndpoint, events: &[Event], all: &mut Expected) {
    for event in events {
        if let Some(id) = &event.service {
            let key = (
                endpoint.clone(),
                id.to_string(),
                is_number(event.event_type),
            );
            all.0.entry(key).or_default().push(event.event_type);
        }
    }
}

async fn every_event_is_that_of_one_change(store: &impl EventRelay) {
    let seed = rand::random();
    let mut model = Model {
        store,
        random: StdRng::seed_from_u64(seed),
        group: resource_group(AllocationStrategy::Exclusive, NUMBERS),
        services: HashMap::new(),
        expected: Expected::default(),
    };
    let mut actual = Expected::default();
    let mut known = std::collections::HashSet::new();
    store
        .relaying(async {
            for step in 0..STEPS {
                model.step().await;
                assert!(model.services.len() < STEPS, "{step}");
            }
            let expected = model.expected.count();
            assert!(expected > STEPS / 4, "{expected}, seed {seed}");
            eventually("the events are relayed", async || {
                for endpoint in [of_definition(), of_group()] {
                    let mut events = deliver(store, &endpoint).await;
                    events.retain(|event| known.insert((endpoint.clone(), event.id.clone())));
                    received(&endpoint, &events, &mut actual);
                }
                (actual.count() >= expected).then_some(())
            })
            .await;
            tokio::time::timeout(Duration::from_secs(20), async {
                assert_eq!(deliver(store, &of_group()).await.len(), 0, "seed {seed}");
            })
            .await
            .unwrap();
        })
        .await;
    assert_eq!(actual.0, model.expected.0, "seed {seed}");
}
