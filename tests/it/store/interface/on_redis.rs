//! Tests of Redis: the TTLs of its keys, and its errors.

use std::{sync::Arc, time::Duration};

use redis::{AsyncCommands, cmd};
use switchboard::{
    model::{
        Changes, CreateResult, ServiceId, StoreError, StoredKind, WriteCondition, WriteResult,
    },
    store::{BinaryStore, ServiceStore, StorageStore},
};

use super::idempotency_claims::{assert_replayed, claim, fresh_key};
use crate::support::{
    TestRedis,
    ends::{before_end, is_written},
    stores::{
        RedisFixture, create_service, create_until, download, empty_service, file, in_ms, is_index,
        key, keys_under, owned_pairs, read_strings, remove_changes, set_changes, sleep_until,
        storage_area, test_bytes, text, upload, write_changes, write_with_ttl,
    },
};

/// The longest TTL of all keys of this test in milliseconds; 0 if there are none.
async fn longest_ttl(redis: &RedisFixture) -> i64 {
    let mut connection = redis.connection.clone();
    let mut longest = 0;
    for key in keys_under(&mut connection, &redis.prefix).await {
        let ttl: i64 = connection.pttl(&key).await.unwrap();
        assert_ne!(ttl, -1, "{key} does not expire");
        longest = longest.max(ttl);
    }
    longest
}

/// Changes the configuration of the server of this test.
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
async fn write_to_ended_service_leaves_no_keys() {
    let redis = RedisFixture::shared().await;
    let (store, end) = (&redis.store, in_ms(50));
    let ended = create_until(store, end, vec![text("k", "v")]).await;
    let deleted = create_service(store, Vec::new()).await;
    store.delete(&deleted).await.unwrap();
    sleep_until(end).await;
    for id in [ended, deleted, ServiceId::generate()] {
        let written = store
            .write(&id, &set_changes(vec![text("k", "v")]), None)
            .await;
        assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
        store.clear(&id, &WriteCondition::default()).await.unwrap();
        store.set_end(&id, in_ms(60_000)).await.unwrap();
    }
    let mut connection = redis.connection.clone();
    let remaining = keys_under(&mut connection, &redis.prefix).await;
    assert_eq!(remaining, Vec::<String>::new());
}

#[tokio::test]
async fn unreferenced_upload_expires() {
    let redis = RedisFixture::shared().await;
    upload(&redis.store, &ServiceId::generate(), &test_bytes(600_000)).await;
    let ttl = longest_ttl(&redis).await;
    assert!((60_000..=600_000).contains(&ttl), "{ttl} ms");
}

#[tokio::test]
async fn replaced_binary_expires_within_a_minute() {
    let redis = RedisFixture::shared().await;
    let store = &redis.store;
    let id = create_service(store, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    store.set_end(&id, in_ms(600_000)).await.unwrap();
    write_changes(store, &id, remove_changes(&["map"])).await;
    store.set_end(&id, in_ms(900_000)).await.unwrap();
    store.delete(&id).await.unwrap();
    // The service is deleted; of the remaining keys one is the binary.
    let mut connection = redis.connection.clone();
    for key in keys_under(&mut connection, &redis.prefix).await {
        let ttl: i64 = connection.pttl(&key).await.unwrap();
        let is_index_key = is_index(&redis.prefix, &key);
        assert!(
            is_index_key || (1..=60_000).contains(&ttl),
            "{key}: {ttl} ms"
        );
    }
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

#[tokio::test]
async fn replaced_binary_expires_no_later_than_its_service() {
    let redis = RedisFixture::shared().await;
    let store = &redis.store;
    let ((id, binary), end) = before_end(200, async |end| {
        let id = create_until(store, end, Vec::new()).await;
        let binary = upload(store, &id, &test_bytes(10)).await;
        let add = set_changes(vec![file("map", &binary)]);
        let stored = is_written(store, &id, add, None).await
            && is_written(store, &id, remove_changes(&["map"]), None).await;
        stored.then_some((id, binary))
    })
    .await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
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
async fn full_redis_rejects_writes_but_reads_and_deletes() {
    let redis = dedicated().await;
    let store = &redis.store;
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    configure(&redis, "maxmemory-policy", "noeviction").await;
    configure(&redis, "maxmemory", "1").await;

    for rejected in [
        store
            .write(&id, &set_changes(vec![text("a", "3")]), None)
            .await
            .map(drop),
        store.create(empty_service()).await.map(drop),
        store.write_chunk(&id, &binary.blob, 1, b"x").await,
    ] {
        assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
    }
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
    // Redis may accept a write that begins with a removal; then the complete write must be visible.
    let mixed = Changes {
        set: vec![text("a", "3"), file("map", &binary)],
        remove: vec![key("b")],
        ..Changes::default()
    };
    let stored = store.write(&id, &mixed, None).await.is_ok();
    let expected = [
        owned_pairs(&[("a", "1"), ("b", "2")]),
        owned_pairs(&[("a", "3")]),
    ];
    assert_eq!(
        read_strings(store, &id).await,
        expected[usize::from(stored)]
    );
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.binaries.len(), usize::from(stored));

    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    configure(&redis, "maxmemory", "0").await;
    create_service(store, vec![text("k", "v")]).await;
    redis.assert_all_keys_expire().await;
}

/// The expiration times of all keys of this test, except for the index.
async fn expirations(redis: &RedisFixture) -> Vec<(String, i64)> {
    let mut connection = redis.connection.clone();
    let mut all = Vec::new();
    for key in keys_under(&mut connection, &redis.prefix).await {
        if !is_index(&redis.prefix, &key) {
            let expires: i64 = connection.pexpire_time(&key).await.unwrap();
            all.push((key, expires));
        }
    }
    all
}

#[tokio::test]
async fn full_redis_rejects_writes_with_ttl_without_changing_an_end() {
    let redis = dedicated().await;
    let store = &redis.store;
    let key = fresh_key();
    let (id, _) = claim(store, &key).await;
    let mut area = storage_area(&id, in_ms(60_000), vec![text("a", "1"), text("b", "2")]);
    area.idempotency = Some((key.clone(), "the response".to_owned()));
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_with_ttl(store, &id, set_changes(vec![file("map", &binary)]), 60_000).await;
    let new = upload(store, &id, &test_bytes(20)).await;
    let before = expirations(&redis).await;
    configure(&redis, "maxmemory-policy", "noeviction").await;
    configure(&redis, "maxmemory", "1").await;
    for changes in [
        set_changes(vec![text("a", "3")]),
        set_changes(vec![file("other", &new)]),
        set_changes(vec![file("map", &new)]),
    ] {
        for ttl in [1_000, 600_000] {
            let ttl = Some(Duration::from_millis(ttl));
            let rejected = store.write(&id, &changes, ttl).await;
            assert!(matches!(rejected, Err(StoreError::Full(_))), "{rejected:?}");
        }
    }
    assert_eq!(expirations(&redis).await, before);
    // It needs no memory, so it is stored, with the end of all resources.
    write_with_ttl(store, &id, Changes::default(), 120_000).await;
    redis.assert_all_keys_expire().await;
    configure(&redis, "maxmemory", "0").await;
    let expected = owned_pairs(&[("a", "1"), ("b", "2")]);
    assert_eq!(read_strings(store, &id).await, expected);
    assert_replayed(store, &key, &id).await;
    write_with_ttl(store, &id, set_changes(vec![file("map", &new)]), 60_000).await;
    redis.assert_all_keys_expire().await;
}

#[tokio::test]
async fn redis_rejecting_writes_is_unavailable_until_it_recovers() {
    let redis = dedicated().await;
    let store = &redis.store;
    let id = create_service(store, vec![text("k", "v")]).await;
    let states = [
        ("min-replicas-to-write", "1", "0"),
        // A replica, such as a primary that a failover has demoted.
        ("replicaof", "127.0.0.1 1", "no one"),
    ];
    for (name, on, off) in states {
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
        for rejected in [
            store
                .write(&id, &set_changes(vec![text("k", "w")]), None)
                .await
                .map(drop),
            store.create(empty_service()).await.map(drop),
            store.delete(&id).await.map(drop),
            store.set_end(&id, in_ms(50_000)).await.map(drop),
        ] {
            let unavailable = matches!(rejected, Err(StoreError::Unavailable(_)));
            assert!(unavailable, "{name}: {rejected:?}");
        }
        let read = store.read(&id, &key("k")).await.unwrap();
        assert_eq!(read, Some(StoredKind::Text("v".to_owned())));
        switch(off).await;
        write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    }
}
