//! The events of changes: each change that an endpoint subscribed to has exactly one event, and nothing else has one.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard::{
    model::{
        CreateResult, IdempotencyKey, NewService, ServiceId,
        chat::{ChatAction, ChatWindow},
        webhook::{
            Event,
            EventType::{
                self, ChatEnded, ChatMessage, ChatStarted, ServiceCreated, ServiceDeleted,
                ServiceExpirationUpdated,
            },
            EventTypes, Subscription, WebhookEndpoint,
        },
    },
    store::{AdminStore, Store},
};

use crate::support::{
    now,
    stores::{in_ms, on_every_store, text},
    webhooks::{
        DEFINITION, EventRelay, GROUP, deliver, events, service_with_webhook, subscription, types,
    },
};

mod failures;
mod leader;
mod model;
mod numbers;

on_every_store!(
    services_have_events_in_order,
    other_types_and_services_have_no_events,
    a_pending_create_has_events_once_it_is_finished,
    a_repeated_create_has_one_event,
    large_user_data_is_omitted,
    chats_have_events,
);

fn of_definition() -> WebhookEndpoint {
    WebhookEndpoint::of_definition(DEFINITION)
}

fn of_group() -> WebhookEndpoint {
    WebhookEndpoint::of_group(GROUP)
}

async fn create(store: &dyn Store, service: NewService) -> ServiceId {
    let id = service.id.clone();
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
    id
}

fn data(event: &Event) -> Value {
    Value::Object(event.data.clone())
}

async fn services_have_events_in_order(store: &impl EventRelay) {
    store
        .relaying(async {
            let service = NewService {
                data: vec![text("a", "1"), text("b\"", "\u{e9}/\u{1}")],
                ..service_with_webhook(true)
            };
            let before = now();
            let id = create(store, service).await;
            let end = in_ms(90_000);
            store.set_end(&id, end).await.unwrap().unwrap();
            store.set_end(&id, end).await.unwrap().unwrap();
            store.delete(&id).await.unwrap().unwrap();
            assert_eq!(store.delete(&id).await.unwrap(), None);
            let all = events(store, &of_definition(), 4).await;
            let expected = [
                ServiceCreated,
                ServiceExpirationUpdated,
                ServiceExpirationUpdated,
                ServiceDeleted,
            ];
            assert_eq!(types(&all), expected);
            for event in &all {
                assert_eq!(event.service.as_ref(), Some(&id));
                assert_eq!(event.definition.as_deref(), Some(DEFINITION));
                assert!(
                    event.time.since(before) < Duration::from_secs(60),
                    "{event:?}"
                );
            }
            assert_eq!(
                data(&all[0]),
                json!({"user_data": {"a": "1", "b\"": "\u{e9}/\u{1}"}})
            );
            assert_eq!(data(&all[1]), json!({"expires_at": end.millis()}));
            assert_ne!(all[1].id, all[2].id);
            assert_eq!(data(&all[3]), json!({}));
            assert_eq!(deliver(store, &of_definition()).await, []);
        })
        .await;
}

async fn other_types_and_services_have_no_events(store: &impl EventRelay) {
    store
        .relaying(async {
            let without = NewService {
                webhook: None,
                ..service_with_webhook(false)
            };
            let id = create(store, without).await;
            store.set_end(&id, in_ms(90_000)).await.unwrap().unwrap();
            store.delete(&id).await.unwrap().unwrap();
            let events_of_chats = Subscription {
                events: EventTypes::parse("chat.started,service.expired").unwrap(),
                with_user_data: false,
            };
            let service = NewService {
                webhook: Some(events_of_chats),
                ..service_with_webhook(false)
            };
            let id = create(store, service).await;
            store.set_end(&id, in_ms(90_000)).await.unwrap().unwrap();
            store.delete(&id).await.unwrap().unwrap();
            let marker = create(store, service_with_webhook(false)).await;
            let all = events(store, &of_definition(), 1).await;
            assert_eq!(types(&all), [ServiceCreated]);
            assert_eq!(all[0].service, Some(marker));
            assert_eq!(data(&all[0]), json!({}), "user data is not subscribed to");
        })
        .await;
}

async fn a_pending_create_has_events_once_it_is_finished(store: &impl EventRelay) {
    store
        .relaying(async {
            let pending = || NewService {
                data: vec![text("a", "1")],
                is_pending: true,
                ..service_with_webhook(true)
            };
            let failed = create(store, pending()).await;
            store.delete(&failed).await.unwrap().unwrap();
            let id = create(store, pending()).await;
            store.set_end(&id, in_ms(50_000)).await.unwrap().unwrap();
            for _ in 0..2 {
                let finished = store.finish_create(&id, in_ms(90_000), Some("done"));
                finished.await.unwrap().unwrap();
            }
            store.delete(&id).await.unwrap().unwrap();
            let all = events(store, &of_definition(), 2).await;
            assert_eq!(types(&all), [ServiceCreated, ServiceDeleted]);
            assert!(all.iter().all(|event| event.service.as_ref() == Some(&id)));
            assert_eq!(data(&all[0]), json!({"user_data": {"a": "1"}}));
        })
        .await;
}

async fn a_repeated_create_has_one_event(store: &impl EventRelay) {
    store
        .relaying(async {
            let id = ServiceId::generate();
            let key = IdempotencyKey {
                key: id.to_string(),
            };
            store.claim(&key, id.clone(), in_ms(90_000)).await.unwrap();
            let service = || NewService {
                id: id.clone(),
                idempotency: Some((key.clone(), "response".to_owned())),
                ..service_with_webhook(false)
            };
            create(store, service()).await;
            let replayed = store.create(service()).await.unwrap();
            assert!(
                matches!(replayed, CreateResult::Replayed(_)),
                "{replayed:?}"
            );
            store.set_end(&id, in_ms(80_000)).await.unwrap().unwrap();
            store.delete(&id).await.unwrap().unwrap();
            let all = events(store, &of_definition(), 3).await;
            let expected = [ServiceCreated, ServiceExpirationUpdated, ServiceDeleted];
            assert_eq!(types(&all), expected);
        })
        .await;
}

async fn large_user_data_is_omitted(store: &impl EventRelay) {
    store
        .relaying(async {
            for (length, expected) in [
                (32 * 1024, json!({"user_data_omitted": true})),
                (0, json!({"user_data": {}})),
            ] {
                let data_of = |length| vec![text("a", &"x".repeat(length))];
                let service = NewService {
                    data: if length > 0 {
                        data_of(length)
                    } else {
                        Vec::new()
                    },
                    ..service_with_webhook(true)
                };
                create(store, service).await;
                let all = events(store, &of_definition(), 1).await;
                assert_eq!(data(&all[0]), expected);
            }
        })
        .await;
}

async fn act(store: &dyn AdminStore, id: &ServiceId, action: ChatAction) {
    let window = ChatWindow::After(0);
    store.update_chat(id, &action, window).await.unwrap();
}

async fn chats_have_events(store: &impl EventRelay) {
    store
        .relaying(async {
            for with_user_data in [true, false] {
                let service = NewService {
                    webhook: Some(subscription(with_user_data)),
                    ..service_with_webhook(true)
                };
                let id = create(store, service).await;
                for _ in 0..2 {
                    store
                        .start_chat(&id, &super::chats::new_chat())
                        .await
                        .unwrap();
                }
                act(store, &id, super::chats::client_message("Hi \"you\"")).await;
                act(store, &id, super::chats::join("bob")).await;
                act(store, &id, super::chats::agent_message("bob", "Hello")).await;
                // Refused, so without an event.
                act(store, &id, super::chats::agent_message("eve", "Hello")).await;
                act(store, &id, ChatAction::ClientTyping(true)).await;
                act(store, &id, ChatAction::ClientEnd(Some("Bye".to_owned()))).await;
                act(store, &id, super::chats::client_message("late")).await;
                let all = events(store, &of_definition(), 6).await;
                let expected = [
                    ServiceCreated,
                    ChatStarted,
                    ChatMessage,
                    ChatMessage,
                    ChatMessage,
                    ChatEnded,
                ];
                assert_eq!(types(&all), expected);
                let expected = [
                    (
                        json!({"position": 1, "party": "CLIENT"}),
                        json!({"nickname": "Ann", "subject": "Order"}),
                    ),
                    (
                        json!({"position": 2, "party": "CLIENT"}),
                        json!({"nickname": "Ann", "text": "Hi \"you\""}),
                    ),
                    (
                        json!({"position": 4, "party": "AGENT"}),
                        json!({"nickname": "BOB", "text": "Hello"}),
                    ),
                    (
                        json!({"position": 5, "party": "CLIENT"}),
                        json!({"nickname": "Ann", "text": "Bye"}),
                    ),
                    (json!({"position": 6, "party": "CLIENT"}), json!({})),
                ];
                for (event, (mut fields, user_data)) in all[1..].iter().zip(expected) {
                    if with_user_data {
                        fields
                            .as_object_mut()
                            .unwrap()
                            .extend(user_data.as_object().unwrap().clone());
                    }
                    assert_eq!(data(event), fields);
                }
            }
        })
        .await;
}

#[tokio::test]
async fn the_embedded_store_reports_expired_services() {
    let store = crate::support::stores::memory();
    let service = NewService {
        end: in_ms(50),
        ..service_with_webhook(false)
    };
    let id = create(&store, service).await;
    let all = events(&store, &of_definition(), 2).await;
    assert_eq!(types(&all), [ServiceCreated, EventType::ServiceExpired]);
    assert_eq!(all[1].service, Some(id));
}
