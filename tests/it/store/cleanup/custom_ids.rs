//! The cleanup of storage areas with custom ids: an id may be in use again while the resources of its earlier use
//! are released.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join, stream};
use rand::RngExt;
use redis::{AsyncCommands, Script, aio::MultiplexedConnection, cmd};
use switchboard::{
    model::{Binary, CreateResult, ServiceId, Timestamp},
    store::{BinaryStore, ServiceStore, redis::RedisStore},
};

use super::lost_events::start_replica;
use crate::support::{
    TestRedis,
    bookings::redis_store,
    eventually, now, random_prefix,
    stores::{
        download, file, in_ms, key, set_changes, storage_area, test_bytes, text, upload,
        write_with_ttl,
    },
};

/// The number of storage areas of the load test; the environment variable is for more by hand.
const STORAGE_AREAS: usize = 10_000;
const STORAGE_AREAS_VARIABLE: &str = "SWITCHBOARD_TEST_STORAGE_AREAS";

const CLOCK: &str = include_str!("../../../../src/store/redis/scripts/clock.lua");
const CLAIM: &str = include_str!("../../../../src/store/redis/scripts/claim_cleanup.lua");
const REMOVE: &str = include_str!("../../../../src/store/redis/scripts/remove_released.lua");
const RESCHEDULE: &str = include_str!("../../../../src/store/redis/scripts/reschedule_cleanup.lua");

/// A store without cleanup, and direct access to its keys.
struct Fixture {
    redis: Arc<TestRedis>,
    prefix: String,
    store: RedisStore,
    connection: MultiplexedConnection,
    id: ServiceId,
}

impl Fixture {
    async fn new() -> Self {
        let (redis, prefix) = (TestRedis::shared(), random_prefix());
        Self {
            store: redis_store(&redis, &prefix).await,
            connection: redis.connection().await,
            redis,
            prefix,
            id: ServiceId::custom("ann", "session1"),
        }
    }

    fn key(&self, kind: &str) -> String {
        format!("{}{kind}:{{{}}}", self.prefix, self.id.as_str())
    }

    /// Creates the storage area with a binary.
    async fn create(&self, size: usize) -> Binary {
        let binary = upload(&self.store, &self.id, &test_bytes(size)).await;
        let data = vec![file("map", &binary)];
        let area = storage_area(&self.id, in_ms(600_000), data);
        let created = self.store.create(area).await.unwrap();
        assert_eq!(created, CreateResult::Created);
        binary
    }

    async fn delete(&self) {
        assert_eq!(self.store.delete(&self.id).await.unwrap(), Some(()));
    }

    /// The fields of the list of its resources.
    async fn owned(&self) -> Vec<String> {
        let mut connection = self.connection.clone();
        connection.hkeys(self.key("own")).await.unwrap()
    }

    /// Asserts that the list of its resources contains only `binary`, and that the cleanup index has it.
    async fn assert_owns_only(&self, binary: &Binary) {
        let field = format!("blob:{}", binary.blob.as_str());
        assert_eq!(self.owned().await, [field]);
        assert!(self.index_entry().await.is_some());
    }

    /// Its shard of the cleanup index, and its time.
    async fn index_entry(&self) -> Option<(String, i64)> {
        let mut connection = self.connection.clone();
        for shard in self.redis.keys(&format!("{}idx:*", self.prefix)).await {
            let due: Option<i64> = connection.zscore(&shard, self.id.as_str()).await.unwrap();
            if let Some(due) = due {
                return Some((shard, due));
            }
        }
        None
    }

    async fn ttl_of(&self, binary: &Binary) -> i64 {
        let key = format!("{}:{}", self.key("blob"), binary.blob.as_str());
        let mut connection = self.connection.clone();
        connection.pttl(key).await.unwrap()
    }

    /// What the cleanup leader does first.
    async fn claim(&self) -> Vec<String> {
        let script = Script::new(&[CLOCK, CLAIM].concat());
        let mut claim = script.prepare_invoke();
        claim.key(self.key("svc")).key(self.key("own"));
        claim.arg(now().millis());
        let mut connection = self.connection.clone();
        let reply: Vec<String> = claim.invoke_async(&mut connection).await.unwrap();
        let [status, _since, fields @ ..] = reply.as_slice() else {
            panic!("{reply:?}");
        };
        assert_eq!(status, "1");
        fields.to_vec()
    }

    /// What the cleanup leader does after it has released `binary`.
    async fn finish_cleanup(&self, binary: &Binary, fields: &[String], index: (String, i64)) {
        let mut connection = self.connection.clone();
        let blob = format!("{}:{}", self.key("blob"), binary.blob.as_str());
        let _: () = connection.unlink(blob).await.unwrap();
        let remove = Script::new(REMOVE);
        let mut remove = remove.prepare_invoke();
        remove.key(self.key("own")).arg(fields);
        let _: () = remove.invoke_async(&mut connection).await.unwrap();
        let cancel = Script::new(RESCHEDULE);
        let mut cancel = cancel.prepare_invoke();
        cancel
            .key(index.0)
            .arg(self.id.as_str())
            .arg(index.1)
            .arg("");
        let _: () = cancel.invoke_async(&mut connection).await.unwrap();
    }

    /// Asserts that a replica releases everything.
    async fn assert_all_is_released(&self) {
        let _replica = start_replica(&self.redis, &self.prefix, "").await;
        let pattern = format!("{}*{}*", self.prefix, self.id.as_str());
        eventually("all is released", async || {
            let remaining = self.redis.keys(&pattern).await;
            let is_indexed = self.index_entry().await.is_some();
            (remaining.is_empty() && !is_indexed).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn new_use_before_the_cleanup_replaces_the_resources() {
    let fixture = Fixture::new().await;
    let old = fixture.create(10).await;
    fixture.delete().await;
    let new = fixture.create(20).await;
    fixture.assert_owns_only(&new).await;
    // The old one remains for downloads in progress.
    assert!((1..=60_000).contains(&fixture.ttl_of(&old).await));
    let changes = set_changes(vec![text("a", "1")]);
    write_with_ttl(&fixture.store, &fixture.id, changes, 900_000).await;
    assert!((1..=60_000).contains(&fixture.ttl_of(&old).await));
    assert!(fixture.ttl_of(&new).await > 800_000);
    let old = [old.blob];
    fixture.store.discard(&fixture.id, &old).await.unwrap();
    fixture.delete().await;
    fixture.assert_all_is_released().await;
}

#[tokio::test]
async fn new_use_during_the_cleanup_keeps_its_resources() {
    let fixture = Fixture::new().await;
    let old = fixture.create(10).await;
    fixture.delete().await;
    let index = fixture.index_entry().await.unwrap();
    let fields = fixture.claim().await;
    assert!(fields.iter().any(|field| field == "_over"), "{fields:?}");
    let new = fixture.create(20).await;
    fixture.assert_owns_only(&new).await;
    fixture.finish_cleanup(&old, &fields, index).await;

    fixture.assert_owns_only(&new).await;
    let bytes = download(&fixture.store, &fixture.id, &new).await;
    assert_eq!(bytes, Some(test_bytes(20)));
    assert!(fixture.ttl_of(&new).await > 500_000);
    assert_eq!(fixture.ttl_of(&old).await, -2);
    fixture.delete().await;
    fixture.assert_all_is_released().await;
}

#[tokio::test]
async fn binary_of_a_new_use_during_the_cleanup_is_swept() {
    let fixture = Fixture::new().await;
    let old = fixture.create(10).await;
    fixture.delete().await;
    let index = fixture.index_entry().await.unwrap();
    let fields = fixture.claim().await;
    // The new use has no binary at first.
    let area = storage_area(&fixture.id, in_ms(600_000), Vec::new());
    let created = fixture.store.create(area).await.unwrap();
    assert_eq!(created, CreateResult::Created);
    let new = upload(&fixture.store, &fixture.id, &test_bytes(20)).await;
    let changes = set_changes(vec![file("map", &new)]);
    write_with_ttl(&fixture.store, &fixture.id, changes, 600_000).await;
    fixture.finish_cleanup(&old, &fields, index).await;

    fixture.assert_owns_only(&new).await;
    fixture.delete().await;
    fixture.assert_all_is_released().await;
}

#[tokio::test]
async fn unused_custom_id_is_cleaned_up_completely() {
    let fixture = Fixture::new().await;
    for size in [10, 20] {
        let binary = fixture.create(size).await;
        fixture.delete().await;
        let index = fixture.index_entry().await.unwrap();
        let fields = fixture.claim().await;
        fixture.finish_cleanup(&binary, &fields, index).await;
        let pattern = format!("{}*{}*", fixture.prefix, fixture.id.as_str());
        assert_eq!(fixture.redis.keys(&pattern).await, Vec::<String>::new());
        assert_eq!(fixture.index_entry().await, None);
    }
}

#[tokio::test]
async fn two_stores_create_a_custom_id_once() {
    let fixture = Fixture::new().await;
    let other = redis_store(&fixture.redis, &fixture.prefix).await;
    for _ in 0..50 {
        let area = |name| storage_area(&fixture.id, in_ms(60_000), vec![text(name, "")]);
        let (first, second) = join(
            fixture.store.create(area("first")),
            other.create(area("second")),
        )
        .await;
        let results = [first.unwrap(), second.unwrap()];
        let created = results.iter().filter(|one| **one == CreateResult::Created);
        assert_eq!(created.count(), 1, "{results:?}");
        fixture.delete().await;
    }
}

#[tokio::test]
async fn custom_id_in_steady_use_loses_no_binary() {
    let fixture = Fixture::new().await;
    let _replicas = [
        start_replica(&fixture.redis, &fixture.prefix, "").await,
        start_replica(&fixture.redis, &fixture.prefix, "").await,
    ];
    for round in 0..150_usize {
        let binary = fixture.create(10 + round % 7).await;
        if round.is_multiple_of(3) {
            // Time for the cleanup of the earlier use.
            let pause = rand::rng().random_range(0..30);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let found = fixture.store.find_binary(&fixture.id, &key("map")).await;
        assert_eq!(found.unwrap(), Some(Some(binary.clone())));
        let bytes = download(&fixture.store, &fixture.id, &binary).await;
        assert!(bytes.is_some(), "round {round}");
        fixture.assert_owns_only(&binary).await;
        fixture.delete().await;
    }
    let pattern = format!("{}own:*", fixture.prefix);
    eventually("all is released", async || {
        let owned = fixture.redis.keys(&pattern).await;
        let is_indexed = fixture.index_entry().await.is_some();
        (owned.is_empty() && !is_indexed).then_some(())
    })
    .await;
}

/// Creates a storage area, updates it, and lets it expire or deletes it.
async fn use_storage_area(store: &RedisStore, n: usize, latest_end: Timestamp) {
    let id = ServiceId::custom("ann", &format!("session{n}"));
    let area = storage_area(&id, latest_end, vec![text("a", "1"), text("b", "")]);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    let mut set = vec![text("a", "2")];
    if n.is_multiple_of(50) {
        let binary = upload(store, &id, &test_bytes(10)).await;
        set.push(file("map", &binary));
    }
    write_with_ttl(store, &id, set_changes(set), 600_000).await;
    if n.is_multiple_of(10) {
        assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    } else {
        write_with_ttl(store, &id, set_changes(vec![text("a", "3")]), 500).await;
    }
}

/// The number of storage areas of the load test.
#[expect(clippy::disallowed_methods, reason = "not a setting")]
fn storage_area_count() -> usize {
    let count = std::env::var(STORAGE_AREAS_VARIABLE).ok();
    count.map_or(STORAGE_AREAS, |count| count.parse().unwrap())
}

#[tokio::test]
async fn many_custom_ids_leave_nothing() {
    let count = storage_area_count();
    let (redis, prefix) = (Arc::new(TestRedis::dedicated()), random_prefix());
    let _replica = start_replica(&redis, &prefix, "").await;
    let store = &redis_store(&redis, &prefix).await;
    let end = in_ms(600_000);
    stream::iter(0..count)
        .for_each_concurrent(64, |n| use_storage_area(store, n, end))
        .await;
    // The list of services retains entries for ten seconds.
    let (started_at, mut connection) = (Instant::now(), redis.connection().await);
    loop {
        let mut remaining = redis.keys(&format!("{prefix}*")).await;
        remaining.retain(|key| !key.ends_with("lease:cleanup") && !key.contains("{catalog}:"));
        if remaining.is_empty() {
            break;
        }
        let elapsed = started_at.elapsed();
        assert!(elapsed < Duration::from_secs(60), "{remaining:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let all: usize = cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    assert!(all < 10, "{all} keys remain");
}
