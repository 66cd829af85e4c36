//! Events in Redis that need the cleanup leader, a full Redis, or a crash between a change and its relay.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use redis::cmd;
use switchboard::{
    model::{
        CreateResult, NewService, StoreError,
        webhook::EventType::{
            NumberBooked, NumberLapsed, ServiceCreated, ServiceDeleted, ServiceExpired,
        },
    },
    store::{AdminStore, ServiceStore, WebhookStore},
};

use super::{create, numbers::create_with_number, of_definition, of_group};
use crate::support::{
    TestRedis, eventually, now,
    stores::{RedisFixture, in_ms, keys_under, on_redis_and_cluster},
    webhooks::{EventRelay, about, deliver, events, service_with_webhook, types},
};

on_redis_and_cluster!(
    expired_services_have_one_event,
    the_leader_relays_what_a_crashed_replica_left,
    unused_endpoints_are_removed,
);

async fn expired_services_have_one_event(redis: RedisFixture) {
    let store = &redis.store;
    let _replicas = [redis.start_replica().await, redis.start_replica().await];
    let service = |end| NewService {
        end,
        ..service_with_webhook(false)
    };
    let end = in_ms(1_500);
    let expired = join_all((0..50).map(|_| create(store, service(end)))).await;
    let (with_number, _) = create_with_number(store, 1_000).await;
    let deleted = create(store, service(in_ms(90_000))).await;
    store.delete(&deleted).await.unwrap().unwrap();
    let all = events(store, &of_definition(), 104).await;
    for id in &expired {
        assert_eq!(types(&about(&all, id)), [ServiceCreated, ServiceExpired]);
    }
    assert_eq!(
        types(&about(&all, &deleted)),
        [ServiceCreated, ServiceDeleted]
    );
    let numbers = about(&events(store, &of_group(), 2).await, &with_number);
    assert_eq!(types(&numbers), [NumberBooked, NumberLapsed]);
    eventually("nothing but the endpoints remains", async || {
        for mut connection in redis.connections().await {
            let mut keys = keys_under(&mut connection, &redis.prefix).await;
            keys.retain(|key| !key.contains(with_number.as_str()));
            let is_left = |key: &String| ["own:", "events:"].iter().any(|kind| key.contains(kind));
            if keys.iter().any(is_left) {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert_eq!(deliver(store, &of_definition()).await, []);
}

async fn the_leader_relays_what_a_crashed_replica_left(redis: RedisFixture) {
    // This store does not relay, like a replica that crashes after its changes.
    let store = &redis.store;
    let active = create(store, service_with_webhook(false)).await;
    let deleted = create(store, service_with_webhook(false)).await;
    store.delete(&deleted).await.unwrap().unwrap();
    create_with_number(store, 60_000).await;
    let _replica = redis.start_replica().await;
    let all = events(store, &of_definition(), 4).await;
    assert_eq!(types(&about(&all, &active)), [ServiceCreated]);
    assert_eq!(
        types(&about(&all, &deleted)),
        [ServiceCreated, ServiceDeleted]
    );
    assert_eq!(types(&events(store, &of_group(), 1).await), [NumberBooked]);
}

async fn unused_endpoints_are_removed(redis: RedisFixture) {
    let store = &redis.store;
    let status = async || {
        store
            .webhook_status(&[of_definition()])
            .await
            .unwrap()
            .remove(0)
    };
    store
        .relaying(async {
            create(store, service_with_webhook(false)).await;
            events(store, &of_definition(), 1).await;
            create(store, service_with_webhook(false)).await;
            eventually("the event is relayed", async || {
                (status().await.pending == 1).then_some(())
            })
            .await;
        })
        .await;
    store
        .remove_unused_endpoints(now().before(Duration::from_secs(60)))
        .await
        .unwrap();
    assert_eq!((status().await.pending, status().await.delivered), (1, 1));
    store
        .remove_unused_endpoints(now().after(Duration::from_secs(60)))
        .await
        .unwrap();
    assert_eq!(
        status().await,
        switchboard::model::webhook::EndpointStatus::default()
    );
}

#[tokio::test]
async fn a_full_redis_refuses_creates_and_reports_deletes() {
    let redis = RedisFixture::new(Arc::new(TestRedis::dedicated())).await;
    let store = &redis.store;
    let mut connection = redis.connection.clone();
    let mut limit = async |bytes: &str| {
        let mut set = cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes);
        set.arg("maxmemory-policy").arg("noeviction");
        set.query_async::<()>(&mut connection).await.unwrap();
    };
    let id = create(store, service_with_webhook(false)).await;
    limit("1").await;
    let refused = service_with_webhook(false);
    let refused_id = refused.id.clone();
    let result: Result<CreateResult, StoreError> = store.create(refused).await;
    assert!(matches!(result, Err(StoreError::Full(_))), "{result:?}");
    assert_eq!(store.definition(&refused_id).await.unwrap(), None);
    store.delete(&id).await.unwrap().unwrap();
    let admin: &dyn AdminStore = store;
    let all = store.relaying(events(admin, &of_definition(), 2)).await;
    assert_eq!(types(&all), [ServiceCreated, ServiceDeleted]);
    limit("0").await;
}
