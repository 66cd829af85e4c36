//! Kills while services with webhooks are changed: every change has its event, and no event reports what did not happen.
//!
//! The replicas with the cleanup are processes, which are killed. The changes are made by stores in this process, whose
//! tasks are aborted at any point, as the death of a process does, with the events that they have not relayed.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use switchboard::{
    model::{
        AllocationStrategy, BookResult, BookingOwner, BookingRequest, Call, CreateResult, Group,
        MatchResult, NewService, ServiceId,
        chat::{ChatAction, ChatReply, ChatWindow, NewChat},
        webhook::EventType::{
            ChatMessage, ChatStarted, NumberBooked, NumberMatched, ServiceCreated, ServiceDeleted,
            ServiceExpirationUpdated,
        },
    },
    store::{BookingStore, ChatStore, ServiceStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};
use tokio::task::JoinSet;

use self::ledger::{Changes, Received, find_contradiction};
use super::{DurableRedis, Fixture};
use crate::support::{
    bookings::{booking_request, catalog, default_group_toml, eventually, keys_in, resource_group},
    settings,
    stores::in_ms,
    webhooks::{DEFINITION, GROUP, booking_webhooks, service_with_webhook},
};

mod failover;
mod ledger;

const WORKERS: usize = 6;
const NUMBERS: usize = 50;

async fn open_store(redis: &[(&str, &str)]) -> Arc<RedisStore> {
    eventually("the store opens", async || {
        let settings = settings(redis);
        let store = RedisStore::open(&settings.redis, 1_000, &RedisMetrics::default()).await;
        store.ok().map(Arc::new)
    })
    .await
}

/// Creates services and changes them until it is aborted or Redis is gone.
async fn work(store: Arc<RedisStore>, changes: Changes, group: Arc<Group>) {
    loop {
        if change_service(&store, &changes, &group).await.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Books a number, creates a service and changes it. `None` if an operation failed.
async fn change_service(store: &RedisStore, changes: &Changes, group: &Group) -> Option<()> {
    let id = ServiceId::generate();
    let request = BookingRequest {
        webhooks: Some(booking_webhooks()),
        ..booking_request(1_500)
    };
    changes.attempt(&id, NumberBooked);
    let booked = store
        .book_number(BookingOwner::New(&id), group, &request)
        .await
        .ok()?;
    let BookResult::Booked(booking) = booked else {
        return None;
    };
    changes.acknowledge(&id, NumberBooked);
    changes.attempt(&id, ServiceCreated);
    let service = NewService {
        id: id.clone(),
        end: in_ms(rand::rng().random_range(1_000..2_000)),
        booking: Some(booking.clone()),
        ..service_with_webhook(true)
    };
    let created = store.create(service).await.ok()?;
    if created != CreateResult::Created {
        return None;
    }
    changes.acknowledge(&id, ServiceCreated);
    let choice = rand::rng().random_range(0..5);
    if choice == 0 {
        changes.attempt(&id, ServiceExpirationUpdated);
        store.set_end(&id, in_ms(1_500)).await.ok()??;
        changes.acknowledge(&id, ServiceExpirationUpdated);
    }
    if choice == 1 {
        changes.attempt(&id, NumberMatched);
        let call = Call {
            dialed: vec![format!("+1{}", booking.number)],
            code: None,
            callers: Vec::new(),
            regions: vec!["US".to_owned()],
        };
        let matched = store.match_call(&[GROUP.to_owned()], &call).await.ok()?;
        if let MatchResult::Matched(matched) = matched {
            changes.acknowledge(&matched, NumberMatched);
        }
    }
    if choice == 2 {
        chat(store, changes, &id).await?;
    }
    if rand::rng().random_bool(0.7) {
        changes.attempt(&id, ServiceDeleted);
        store.delete(&id).await.ok()??;
        changes.acknowledge(&id, ServiceDeleted);
    }
    Some(())
}

async fn chat(store: &RedisStore, changes: &Changes, id: &ServiceId) -> Option<()> {
    changes.attempt(id, ChatStarted);
    let chat = NewChat {
        definition: DEFINITION.to_owned(),
        session_id: id.to_string(),
        user_id: "user".to_owned(),
        secure_key: "key".to_owned(),
        nickname: "Ann".to_owned(),
        subject: String::new(),
        max_events: 100,
        max_message_bytes: 100,
        client_timeout: Duration::from_secs(60),
    };
    let started = store.start_chat(id, &chat).await.ok()?;
    assert!(matches!(
        started,
        ChatReply::Chat(..) | ChatReply::ServiceNotFound
    ));
    if started == ChatReply::ServiceNotFound {
        return None;
    }
    changes.acknowledge(id, ChatStarted);
    for _ in 0..3 {
        changes.attempt(id, ChatMessage);
        let message = ChatAction::ClientMessage("Hi".to_owned());
        let sent = store
            .update_chat(id, &message, ChatWindow::After(0))
            .await
            .ok()?;
        if !matches!(sent, ChatReply::Chat(..)) {
            return None;
        }
        changes.acknowledge(id, ChatMessage);
    }
    Some(())
}

/// Runs workers and the relay of events on a store.
fn spawn_workers(store: &Arc<RedisStore>, changes: &Changes) -> JoinSet<()> {
    let group = resource_group(AllocationStrategy::Exclusive, NUMBERS);
    let mut tasks = JoinSet::new();
    let relay = Arc::clone(store);
    tasks.spawn(async move { relay.relay_events().await });
    for _ in 0..WORKERS {
        tasks.spawn(work(Arc::clone(store), changes.clone(), Arc::clone(&group)));
    }
    tasks
}

/// Runs workers on a store until `count` more changes are acknowledged, and aborts all at once.
async fn work_until_crash(fixture: &Fixture, changes: &Changes, count: usize) {
    let store = open_store(&fixture.redis_settings()).await;
    let mut tasks = spawn_workers(&store, changes);
    let before = changes.acknowledged();
    eventually("changes are made", async || {
        (changes.acknowledged() >= before + count).then_some(())
    })
    .await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
}

/// The keys of services, their resources and their outboxes.
async fn remaining_keys(fixture: &Fixture) -> Vec<String> {
    let mut connection = fixture.redis.connection().await;
    let mut remaining = Vec::new();
    for kind in [
        "svc:*",
        "own:*",
        "events:*",
        "idx:*",
        "grp:*:bookings",
        "grp:*:events",
    ] {
        remaining.extend(keys_in(&mut connection, &format!("{}{kind}", fixture.prefix)).await);
    }
    remaining
}

#[tokio::test]
async fn every_change_has_its_event_after_kills_under_load() {
    let redis = DurableRedis::new();
    let mut fixture = Fixture {
        url: redis.url(),
        redis,
        catalog_file: catalog(&default_group_toml("CLUSTER", NUMBERS)),
        prefix: "webhook-kills:".to_owned(),
    };
    fixture.redis.connection().await;
    let (changes, mut received) = (Changes::default(), Received::default());
    let mut replicas = [
        Some(fixture.replica().await.0),
        Some(fixture.replica().await.0),
    ];
    for round in 0..6 {
        work_until_crash(&fixture, &changes, 150).await;
        let index = round % 2;
        drop(replicas[index].take());
        if round % 3 == 2 {
            fixture.redis.kill();
            fixture.redis.start();
            fixture.redis.connection().await;
        }
        received
            .receive(&*open_store(&fixture.redis_settings()).await)
            .await;
        replicas[index] = Some(fixture.replica().await.0);
    }
    let store = open_store(&fixture.redis_settings()).await;
    for attempt in 0.. {
        received.receive(&store).await;
        let remaining = remaining_keys(&fixture).await;
        if remaining.is_empty() {
            break;
        }
        assert!(attempt < 300, "{remaining:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    received.receive(&store).await;
    assert!(changes.acknowledged() > 100);
    assert_eq!(find_contradiction(&changes, &received), None);
}
