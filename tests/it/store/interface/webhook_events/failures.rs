//! Webhook events in Redis after failures of their relay, the loss of keys, and a failover.

use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::{
    model::{
        NewService, ServiceId,
        webhook::{
            EventType::{
                NumberBooked, NumberLapsed, ServiceCreated, ServiceDeleted, ServiceExpired,
            },
            WebhookLimits,
        },
    },
    store::{ServiceStore, WebhookHub, redis::RedisStore},
    telemetry::metrics::WebhookMetrics,
};

use super::{create, numbers::create_with_number, of_definition};
use crate::support::{
    eventually, now,
    stores::{RedisFixture, in_ms, keys_under},
    webhooks::{DEFINITION, EventRelay, about, deliver, events, service_with_webhook, types},
};

async fn create_and_delete(store: &RedisStore) -> ServiceId {
    let id = create(store, service_with_webhook(false)).await;
    store.delete(&id).await.unwrap().unwrap();
    id
}

async fn exists(connection: &mut MultiplexedConnection, key: &str) -> bool {
    connection.exists(key).await.unwrap()
}

async fn wait_until_gone(connection: &mut MultiplexedConnection, key: &str) {
    eventually("the key is gone", async || {
        (!exists(connection, key).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_broken_endpoint_delays_only_its_events() {
    let redis = RedisFixture::shared().await;
    let (store, mut connection) = (&redis.store, redis.connection.clone());
    let prefix = &redis.prefix;
    let broken = format!("{prefix}webhook:{{services/{DEFINITION}}}:events");
    let _: () = connection.set(&broken, "no hash").await.unwrap();
    let ended = [
        create_and_delete(store).await,
        create_and_delete(store).await,
    ];
    let (with_number, _) = create_with_number(store, 50).await;
    let _replica = redis.start_replica().await;
    // The sweep continues: only it releases the number.
    let bookings = format!("{prefix}grp:{{DNIS}}:bookings");
    wait_until_gone(&mut connection, &bookings).await;
    for id in &ended {
        assert!(exists(&mut connection, &format!("{prefix}own:{{{id}}}")).await);
        let outbox = format!("{prefix}events:{{{id}}}");
        let count: usize = connection.llen(&outbox).await.unwrap();
        assert_eq!(count, 2);
    }
    let _: () = connection.del(&broken).await.unwrap();
    for id in &ended {
        wait_until_gone(&mut connection, &format!("{prefix}own:{{{id}}}")).await;
    }
    let all = events(store, &of_definition(), 6).await;
    for id in &ended {
        assert_eq!(types(&about(&all, id)), [ServiceCreated, ServiceDeleted]);
    }
    assert_eq!(
        types(&about(&all, &with_number)),
        [NumberBooked, NumberLapsed]
    );
}

#[tokio::test]
async fn events_remain_if_the_record_of_resources_is_lost() {
    let redis = RedisFixture::shared().await;
    let (store, mut connection) = (&redis.store, redis.connection.clone());
    let id = create_and_delete(store).await;
    let owned = format!("{}own:{{{id}}}", redis.prefix);
    let _: () = connection.del(&owned).await.unwrap();
    let _replica = redis.start_replica().await;
    let all = events(store, &of_definition(), 2).await;
    assert_eq!(types(&all), [ServiceCreated, ServiceDeleted]);
    let outbox = format!("{}events:{{{id}}}", redis.prefix);
    wait_until_gone(&mut connection, &outbox).await;
}

#[tokio::test]
async fn a_claim_that_a_failover_undid_has_no_second_event() {
    let redis = RedisFixture::shared().await;
    let (store, mut connection) = (&redis.store, redis.connection.clone());
    let service = NewService {
        end: in_ms(300),
        ..service_with_webhook(false)
    };
    let id = create(store, service).await;
    let owned = format!("{}own:{{{id}}}", redis.prefix);
    let fields: Vec<String> = connection.hkeys(&owned).await.unwrap();
    let shards = keys_under(&mut connection, &redis.prefix).await;
    let shard = shards.iter().find(|key| key.contains("idx:")).unwrap();
    let _replica = redis.start_replica().await;
    let all = events(store, &of_definition(), 2).await;
    assert_eq!(types(&all), [ServiceCreated, ServiceExpired]);
    wait_until_gone(&mut connection, &owned).await;
    for field in fields {
        let _: () = connection.hset(&owned, field, "").await.unwrap();
    }
    let now = now().millis();
    let _: () = connection.zadd(shard, id.as_str(), now).await.unwrap();
    wait_until_gone(&mut connection, &owned).await;
    assert_eq!(deliver(store, &of_definition()).await, []);
}

/// Appends records to an outbox until it has this number of them. A string of their user data is named `dropped`.
async fn fill_outbox(connection: &mut MultiplexedConnection, outbox: &str, count: usize) {
    const SCRIPT: &str = r#"
        for n = redis.call('LLEN', KEYS[1]) + 1, ARGV[1] do
          redis.call('RPUSH', KEYS[1], '{"id":"evt_' .. n .. '","data":{"user_data":{"dropped":"7"}}}')
        end"#;
    let mut fill = cmd("EVAL");
    fill.arg(SCRIPT).arg(1).arg(outbox).arg(count);
    fill.exec_async(connection).await.unwrap();
}

#[tokio::test]
async fn a_full_outbox_drops_the_oldest_events_and_counts_them() {
    const MAX_EVENTS: usize = 100_000;
    let mut redis = RedisFixture::shared().await;
    let metrics = WebhookMetrics::default();
    let hub = WebhookHub::new(WebhookLimits::default(), &metrics);
    redis.store = redis.store.with_webhooks(hub);
    let (store, mut connection) = (&redis.store, redis.connection.clone());
    let id = create(store, service_with_webhook(false)).await;
    let outbox = format!("{}events:{{{id}}}", redis.prefix);
    let extend = async || store.set_end(&id, in_ms(600_000)).await.unwrap().unwrap();
    fill_outbox(&mut connection, &outbox, MAX_EVENTS).await;
    extend().await;
    extend().await;
    extend().await;
    let count: usize = connection.llen(&outbox).await.unwrap();
    assert_eq!(count, MAX_EVENTS);
    // `service.created` was the first one of all.
    let oldest: String = connection.lindex(&outbox, 0).await.unwrap();
    assert!(oldest.contains("\"evt_4\""), "{oldest}");
    // Those that are dropped for an event that is dropped itself count, too.
    let _: () = connection.ltrim(&outbox, -3, -1).await.unwrap();
    fill_outbox(&mut connection, &outbox, MAX_EVENTS).await;
    extend().await;
    extend().await;
    let _: () = connection.ltrim(&outbox, -5, -1).await.unwrap();
    let relayed = async {
        eventually("the events are relayed", async || {
            (!exists(&mut connection, &outbox).await).then_some(())
        })
        .await;
    };
    store.relaying(relayed).await;
    assert_eq!(metrics.dropped_events.get(), 4);
}
