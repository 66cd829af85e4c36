//! What only Redis can show: how long its keys live, and how it refuses.

use std::sync::Arc;

use redis::{AsyncCommands, cmd};
use switchboard::store::{Changes, ServiceId, Store, StoreError, StoredKind, WriteResult};

use crate::support::{
    TestRedis,
    stores::{
        RedisFixture, create_service, create_until, download, empty_service, file, in_ms, is_index,
        key, keys_under, owned_pairs, read_strings, remove_changes, set_changes, sleep_until,
        test_bytes, text, upload, write_changes,
    },
};

/// The longest life of any key of this test, in ms; 0 where there is none.
async fn longest_ttl(redis: &RedisFixture) -> i64 {
    let mut connection = redis.connection.clone();
    let mut longest = 0;
    for key in keys_under(&mut connection, &redis.prefix).await {
        let life: i64 = connection.pttl(&key).await.unwrap();
        assert_ne!(life, -1, "{key} never ends");
        longest = longest.max(life);
    }
    longest
}

/// Changes how the server of this test is configured.
async fn configure(redis: &RedisFixture, name: &str, value: &str) {
    let mut config = cmd("CONFIG");
    config.arg("SET").arg(name).arg(value);
    let mut connection = redis.connection.clone();
    config.exec_async(&mut connection).await.unwrap();
}

async fn dedicated() -> RedisFixture {
    RedisFixture::new(Arc::new(TestRedis::dedicated())).await
}

#[tokio::test]
async fn a_write_to_a_service_that_ended_leaves_no_key_without_a_life() {
    let redis = RedisFixture::shared().await;
    let (store, end) = (&redis.store, in_ms(50));
    let ended = create_until(store, end, vec![text("k", "v")]).await;
    let deleted = create_service(store, Vec::new()).await;
    store.delete(&deleted).await.unwrap();
    sleep_until(end).await;
    for id in [ended, deleted, ServiceId::generate()] {
        let written = store.write(&id, set_changes(vec![text("k", "v")])).await;
        assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
        store.clear(&id).await.unwrap();
        store.set_end(&id, in_ms(60_000)).await.unwrap();
    }
    let mut connection = redis.connection.clone();
    let left = keys_under(&mut connection, &redis.prefix).await;
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn bytes_that_nothing_names_end_by_themselves() {
    let redis = RedisFixture::shared().await;
    upload(&redis.store, &ServiceId::generate(), &test_bytes(600_000)).await;
    let life = longest_ttl(&redis).await;
    assert!((60_000..=600_000).contains(&life), "{life} ms");
}

#[tokio::test]
async fn a_binary_that_was_replaced_ends_within_a_minute_whatever_becomes_of_its_service() {
    let redis = RedisFixture::shared().await;
    let store = &redis.store;
    let id = create_service(store, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    store.set_end(&id, in_ms(600_000)).await.unwrap();
    write_changes(store, &id, remove_changes(&["map"])).await;
    store.set_end(&id, in_ms(900_000)).await.unwrap();
    store.delete(&id).await.unwrap();
    // The service is gone; of what is left, this is the binary.
    let mut connection = redis.connection.clone();
    for key in keys_under(&mut connection, &redis.prefix).await {
        let life: i64 = connection.pttl(&key).await.unwrap();
        let listed = is_index(&redis.prefix, &key);
        assert!(listed || (1..=60_000).contains(&life), "{key}: {life} ms");
    }
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

#[tokio::test]
async fn a_binary_that_was_replaced_lives_no_longer_than_its_service_was_to() {
    let redis = RedisFixture::shared().await;
    let (store, end) = (&redis.store, in_ms(200));
    let id = create_until(store, end, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    write_changes(store, &id, remove_changes(&["map"])).await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

#[tokio::test]
async fn scripts_that_redis_has_forgotten_are_told_again() {
    let redis = dedicated().await;
    let id = create_service(&redis.store, vec![text("k", "v")]).await;
    let mut connection = redis.connection.clone();
    let mut flush = cmd("SCRIPT");
    flush.arg("FLUSH");
    flush.exec_async(&mut connection).await.unwrap();
    write_changes(&redis.store, &id, set_changes(vec![text("k", "w")])).await;
    assert_eq!(
        read_strings(&redis.store, &id).await,
        owned_pairs(&[("k", "w")])
    );
}

#[tokio::test]
async fn a_full_redis_refuses_to_store_and_still_reads_and_ends() {
    let redis = dedicated().await;
    let store = &redis.store;
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    configure(&redis, "maxmemory-policy", "noeviction").await;
    configure(&redis, "maxmemory", "1").await;

    for refused in [
        store
            .write(&id, set_changes(vec![text("a", "3")]))
            .await
            .map(drop),
        store.create(empty_service()).await.map(drop),
        store.write_chunk(&id, &binary.blob, 1, b"x").await,
    ] {
        assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    }
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
    // Redis may let a write through that begins by removing; then all of it must be there.
    let mixed = Changes {
        set: vec![text("a", "3"), file("map", &binary)],
        remove: vec![key("b")],
    };
    let stored = store.write(&id, mixed).await.is_ok();
    let expected = [
        owned_pairs(&[("a", "1"), ("b", "2")]),
        owned_pairs(&[("a", "3")]),
    ];
    assert_eq!(
        read_strings(store, &id).await,
        expected[usize::from(stored)]
    );
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(told.binaries.len(), usize::from(stored));

    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    configure(&redis, "maxmemory", "0").await;
    create_service(store, vec![text("k", "v")]).await;
    redis.assert_all_keys_expire().await;
}

#[tokio::test]
async fn a_redis_that_will_not_write_for_now_is_unavailable_and_recovers() {
    let redis = dedicated().await;
    let store = &redis.store;
    let id = create_service(store, vec![text("k", "v")]).await;
    let refusals = [
        ("min-replicas-to-write", "1", "0"),
        // A replica, as the one that a failover has just demoted.
        ("replicaof", "127.0.0.1 1", "no one"),
    ];
    for (name, on, off) in refusals {
        let mut connection = redis.connection.clone();
        let mut switch = async |value: &str| {
            if name != "replicaof" {
                return configure(&redis, name, value).await;
            }
            let mut replica_of = cmd("REPLICAOF");
            replica_of.arg(value.split(' ').collect::<Vec<_>>());
            replica_of.exec_async(&mut connection).await.unwrap();
        };
        switch(on).await;
        for refused in [
            store
                .write(&id, set_changes(vec![text("k", "w")]))
                .await
                .map(drop),
            store.create(empty_service()).await.map(drop),
            store.delete(&id).await.map(drop),
            store.set_end(&id, in_ms(50_000)).await.map(drop),
        ] {
            let unavailable = matches!(refused, Err(StoreError::Unavailable(_)));
            assert!(unavailable, "{name}: {refused:?}");
        }
        let read = store.read(&id, &key("k")).await.unwrap();
        assert_eq!(read, Some(StoredKind::Text("v".to_owned())));
        switch(off).await;
        write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    }
}
