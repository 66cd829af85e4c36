//! The stores of the test suite of `trait Store`, and helpers of its tests.

use std::{sync::Arc, time::Duration};

use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::{
    model::{
        Binary, BlobId, CHUNK_BYTES, Changes, CreateResult, KeyName, NewService, ReadAll, Revision,
        STORAGE_AREA, ServiceId, StorageContents, StorageRead, Timestamp, Value, WriteResult,
    },
    store::{Store, memory::MemoryStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};

use super::{
    RedisKind, TestApp, TestRedis, eventually, is_persistent_key, now, random_prefix, settings,
};

/// Makes a test of each listed function for each kind of store. Add a module here for a new kind of
/// store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::support::stores::memory()).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::stores::RedisFixture::shared().await;
                super::$name(&redis.store).await;
                redis.assert_all_keys_expire().await;
            })*
        }
        mod on_sentinel {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::stores::RedisFixture::on_sentinel().await;
                super::$name(&redis.store).await;
                redis.assert_all_keys_expire().await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::stores::RedisFixture::on_cluster().await;
                super::$name(&redis.store).await;
                redis.assert_all_keys_expire().await;
            })*
        }
    };
}
pub(crate) use on_every_store;

/// Makes a test of each listed function on Redis and on a Cluster.
macro_rules! on_redis_and_cluster {
    ($($name:ident),* $(,)?) => {
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::stores::RedisFixture::shared().await).await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::stores::RedisFixture::on_cluster().await).await;
            })*
        }
    };
}
pub(crate) use on_redis_and_cluster;

/// Maximum number of keys of one service in these stores. A request has at most as many fields.
pub(crate) const MAX_KEYS: usize = 3_000;
/// A TTL longer than any test, also on a busy machine.
pub(crate) const LONG_TTL: Duration = Duration::from_secs(3_600);

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::new(1 << 30, MAX_KEYS)
}

/// A store on Redis, with direct access to the server.
pub(crate) struct RedisFixture {
    pub(crate) store: RedisStore,
    pub(crate) connection: MultiplexedConnection,
    pub(crate) prefix: String,
    /// Keeps the servers running.
    redis: Arc<TestRedis>,
}

impl RedisFixture {
    pub(crate) async fn shared() -> Self {
        Self::new(TestRedis::shared()).await
    }

    pub(crate) async fn on_sentinel() -> Self {
        Self::new(TestRedis::shared_kind(RedisKind::Sentinel)).await
    }

    pub(crate) async fn on_cluster() -> Self {
        Self::new(TestRedis::shared_kind(RedisKind::Cluster)).await
    }

    pub(crate) async fn new(redis: Arc<TestRedis>) -> Self {
        let prefix = random_prefix();
        let redis_settings = redis.settings();
        let mut all = vec![("redis.prefix", prefix.as_str())];
        all.extend(
            redis_settings
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let settings = settings(&all).redis;
        let store = RedisStore::open(&settings, MAX_KEYS, &RedisMetrics::default())
            .await
            .unwrap();
        Self {
            store,
            connection: redis.connection().await,
            prefix,
            redis,
        }
    }

    /// Starts a replica on this Redis, with the same prefix.
    pub(crate) async fn start_replica(&self) -> TestApp {
        TestApp::start(Some(Arc::clone(&self.redis)), &self.prefix, &[]).await
    }

    /// A connection to each server.
    pub(crate) async fn connections(&self) -> Vec<MultiplexedConnection> {
        self.redis.connections().await
    }

    /// Asserts that every key of this test expires, except for the index and lists, whose entries expire; and that the
    /// key of a service expires at the time in its `_end` field.
    pub(crate) async fn assert_all_keys_expire(&self) {
        for mut connection in self.connections().await {
            for key in keys_under(&mut connection, &self.prefix).await {
                let expires: i64 = connection.pexpire_time(&key).await.unwrap();
                assert!(
                    expires != -1 || is_index(&self.prefix, &key),
                    "{key} never expires"
                );
                let kind: String = connection.key_type(&key).await.unwrap();
                if kind == "hash" {
                    let end: Option<i64> = connection.hget(&key, "_end").await.unwrap();
                    assert!(
                        expires == -2 || end.is_none_or(|end| end == expires),
                        "{key}"
                    );
                }
            }
        }
    }
}

/// Whether a key belongs to the cleanup index, or is a list of chats or an outbox.
pub(crate) fn is_index(prefix: &str, key: &str) -> bool {
    let rest = key.strip_prefix(prefix).unwrap_or_default();
    rest.starts_with("idx:")
        || rest.starts_with("events:")
        || ["{chats}:open", "{chats}:ended"].contains(&rest)
}

/// All keys with `prefix`, sorted, except for those that exist independently of services.
pub(crate) async fn keys_under(
    connection: &mut MultiplexedConnection,
    prefix: &str,
) -> Vec<String> {
    let (mut cursor, mut found) = (0_u64, Vec::new());
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{prefix}*"));
        scan.arg("COUNT").arg(1_000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(connection).await.unwrap();
        found.extend(keys);
        if next == 0 {
            found.retain(|key| !is_persistent_key(prefix, key));
            found.sort();
            found.dedup();
            return found;
        }
        cursor = next;
    }
}

pub(crate) fn key(name: &str) -> KeyName {
    KeyName::new(name.to_owned()).unwrap()
}

pub(crate) fn text(name: &str, value: &str) -> (KeyName, Value) {
    (key(name), Value::Text(value.to_owned()))
}

pub(crate) fn file(name: &str, binary: &Binary) -> (KeyName, Value) {
    (key(name), Value::Binary(binary.clone()))
}

pub(crate) fn set_changes(set: Vec<(KeyName, Value)>) -> Changes {
    Changes {
        set,
        ..Changes::default()
    }
}

pub(crate) fn remove_changes(names: &[&str]) -> Changes {
    Changes {
        remove: names.iter().map(|name| key(name)).collect(),
        ..Changes::default()
    }
}

/// The time `millis` from now.
pub(crate) fn in_ms(millis: u64) -> Timestamp {
    now().after(Duration::from_millis(millis))
}

/// The stores estimate the clock of Redis: they are ahead of it by a round trip at most, on a busy machine.
pub(crate) const CLOCK_ERROR: Duration = Duration::from_millis(100);

/// Waits until the clocks of all stores have passed `time`.
pub(crate) async fn sleep_until(time: Timestamp) {
    let time = time.after(CLOCK_ERROR);
    let is_past = async || (now() > time).then_some(());
    eventually("the clock advances", is_past).await;
}

/// A service without data and with a long TTL.
pub(crate) fn empty_service() -> NewService {
    NewService {
        id: ServiceId::generate(),
        definition: "store".to_owned(),
        created: now(),
        end: now().after(LONG_TTL),
        gms_user: None,
        booking: None,
        data: Vec::new(),
        idempotency: None,
        webhook: None,
        is_pending: false,
    }
}

/// Creates a service with `data` and the expiration time `end`.
pub(crate) async fn create_until(
    store: &dyn Store,
    end: Timestamp,
    data: Vec<(KeyName, Value)>,
) -> ServiceId {
    let service = NewService {
        end,
        data,
        ..empty_service()
    };
    let id = service.id.clone();
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
    id
}

/// Creates a service with `data`.
pub(crate) async fn create_service(store: &dyn Store, data: Vec<(KeyName, Value)>) -> ServiceId {
    create_until(store, now().after(LONG_TTL), data).await
}

/// A storage area with this id, `data` and expiration time.
pub(crate) fn storage_area(
    id: &ServiceId,
    end: Timestamp,
    data: Vec<(KeyName, Value)>,
) -> NewService {
    NewService {
        id: id.clone(),
        definition: STORAGE_AREA.to_owned(),
        end,
        data,
        ..empty_service()
    }
}

/// Asserts that changes are stored, after which the storage expires in `ttl` milliseconds.
pub(crate) async fn write_with_ttl(store: &dyn Store, id: &ServiceId, changes: Changes, ttl: u64) {
    let ttl = Some(Duration::from_millis(ttl));
    stored(store.write(id, &changes, ttl).await.unwrap());
}

/// Asserts that changes are stored, and returns the revision.
pub(crate) async fn write_changes(store: &dyn Store, id: &ServiceId, changes: Changes) -> Revision {
    stored(store.write(id, &changes, None).await.unwrap())
}

/// Asserts that a change was made, and returns the revision.
pub(crate) fn stored(result: WriteResult) -> Revision {
    match result {
        WriteResult::Stored(revision) => revision,
        other => panic!("{other:?}"),
    }
}

/// All keys of a service; `None` if it is not active.
pub(crate) async fn try_read_contents(
    store: &dyn Store,
    id: &ServiceId,
) -> Option<StorageContents> {
    let all = ReadAll {
        with_binaries: true,
        ..ReadAll::strings(usize::MAX)
    };
    match store.read_all(id, &all).await.unwrap()? {
        StorageRead::Contents(contents) => Some(contents),
        other => panic!("{other:?}"),
    }
}

/// All keys of an active service, sorted.
pub(crate) async fn read_contents(store: &dyn Store, id: &ServiceId) -> StorageContents {
    let mut contents = try_read_contents(store, id).await.unwrap();
    contents.texts.sort();
    contents.binaries.sort_by(|(a, _), (b, _)| a.cmp(b));
    contents
}

/// All strings of a service; `None` if it is not active.
pub(crate) async fn try_read_strings(
    store: &dyn Store,
    id: &ServiceId,
) -> Option<Vec<(String, String)>> {
    Some(try_read_contents(store, id).await?.texts)
}

/// All strings of an active service, sorted.
pub(crate) async fn read_strings(store: &dyn Store, id: &ServiceId) -> Vec<(String, String)> {
    let mut texts = try_read_strings(store, id).await.unwrap();
    texts.sort();
    texts
}

/// `texts` in the type of [`read_strings`].
pub(crate) fn owned_pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    texts.iter().map(pair).collect()
}

/// Stores `bytes` as a blob of the service `id`, without a key.
pub(crate) async fn upload(store: &dyn Store, id: &ServiceId, bytes: &[u8]) -> Binary {
    let blob = BlobId::generate();
    for (index, chunk) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
        store.write_chunk(id, &blob, index, chunk).await.unwrap();
    }
    Binary {
        blob,
        content_type: "image/png".to_owned(),
        file_name: Some("map.png".to_owned()),
        size: bytes.len() as u64,
    }
}

/// The bytes of a binary; `None` if it was deleted.
pub(crate) async fn download(
    store: &dyn Store,
    id: &ServiceId,
    binary: &Binary,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for index in 0..binary.chunks() {
        let chunk = store.read_chunk(id, &binary.blob, index).await.unwrap()?;
        bytes.extend_from_slice(&chunk);
    }
    Some(bytes)
}

/// Bytes with a period of 251.
pub(crate) fn test_bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}
