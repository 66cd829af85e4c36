//! The stores that the suite against `trait Store` runs on, and what its tests are made of.

use std::{sync::Arc, time::Duration};

use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::store::{
    AllTexts, Binary, BlobId, CHUNK_BYTES, Changes, Created, KeyName, Moment, NewService,
    ServiceId, Store, Value, Written, memory::MemoryStore, redis::RedisStore,
};

use super::{Kind, PATIENT, TestRedis, eventually, is_standing, now, random_prefix, settings};

/// Makes a test of each function named for each store there is. A new kind of store gets a module in
/// here, and with it the whole suite.
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
                let redis = $crate::support::stores::OnRedis::shared().await;
                super::$name(&redis.store).await;
                redis.check_that_everything_ends().await;
            })*
        }
        mod on_sentinel {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::stores::OnRedis::behind_sentinels().await;
                super::$name(&redis.store).await;
                redis.check_that_everything_ends().await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $name() {
                let redis = $crate::support::stores::OnRedis::in_a_cluster().await;
                super::$name(&redis.store).await;
                redis.check_that_everything_ends().await;
            })*
        }
    };
}
pub(crate) use on_every_store;

/// Most keys of one service, on every store here. As many pairs can be in one request at most.
pub(crate) const MAX_KEYS: usize = 3_000;
/// A life that no test sees the end of.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) fn memory() -> MemoryStore {
    MemoryStore::new(1 << 30, MAX_KEYS)
}

/// A store on Redis, and a look behind it.
pub(crate) struct OnRedis {
    pub(crate) store: RedisStore,
    pub(crate) connection: MultiplexedConnection,
    pub(crate) prefix: String,
    /// Keeps the servers running.
    redis: Arc<TestRedis>,
}

impl OnRedis {
    pub(crate) async fn shared() -> Self {
        Self::on(TestRedis::shared()).await
    }

    pub(crate) async fn behind_sentinels() -> Self {
        Self::on(TestRedis::shared_of(Kind::Sentinel)).await
    }

    pub(crate) async fn in_a_cluster() -> Self {
        Self::on(TestRedis::shared_of(Kind::Cluster)).await
    }

    pub(crate) async fn on(redis: Arc<TestRedis>) -> Self {
        let prefix = random_prefix();
        let mut all = PATIENT.to_vec();
        let of_redis = redis.settings();
        all.push(("redis.prefix", &prefix));
        all.extend(of_redis.iter().map(|(name, value)| (*name, value.as_str())));
        let settings = settings(&all).redis;
        let store = RedisStore::open(&settings, MAX_KEYS).await.unwrap();
        Self {
            store,
            connection: redis.connection().await,
            prefix,
            redis,
        }
    }

    /// Every key of this test has an end, but for the index, whose entries have one; and a service's is
    /// the one that it tells.
    pub(crate) async fn check_that_everything_ends(&self) {
        for mut connection in self.redis.connections().await {
            for key in keys_under(&mut connection, &self.prefix).await {
                let ends: i64 = connection.pexpire_time(&key).await.unwrap();
                assert!(
                    ends != -1 || is_index(&self.prefix, &key),
                    "{key} never ends"
                );
                let kind: String = connection.key_type(&key).await.unwrap();
                if kind == "hash" {
                    let told: Option<i64> = connection.hget(&key, "_end").await.unwrap();
                    assert!(ends == -2 || told.is_none_or(|told| told == ends), "{key}");
                }
            }
        }
    }
}

/// Whether a key is part of the index of what is to be looked after.
pub(crate) fn is_index(prefix: &str, key: &str) -> bool {
    let rest = key.strip_prefix(prefix).unwrap_or_default();
    rest.starts_with("idx:")
}

/// All keys that begin with `prefix`, in order, but for those that stand whatever services there are.
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
            found.retain(|key| !is_standing(prefix, key));
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

pub(crate) fn setting(set: Vec<(KeyName, Value)>) -> Changes {
    Changes {
        set,
        remove: Vec::new(),
    }
}

pub(crate) fn removing(names: &[&str]) -> Changes {
    Changes {
        set: Vec::new(),
        remove: names.iter().map(|name| key(name)).collect(),
    }
}

/// The moment `millis` from now.
pub(crate) fn in_ms(millis: u64) -> Moment {
    now().after(Duration::from_millis(millis))
}

/// Waits until the clock is past `moment`.
pub(crate) async fn past(moment: Moment) {
    let is_past = async || (now() > moment).then_some(());
    eventually("the clock goes on", is_past).await;
}

/// A service that holds nothing and has a long life.
pub(crate) fn empty() -> NewService {
    NewService {
        id: ServiceId::fresh(),
        definition: "store".to_owned(),
        created: now(),
        end: now().after(LONG),
        gms_user: None,
        booking: None,
        data: Vec::new(),
        repeatable: None,
    }
}

/// Makes a service that holds `data` until `end`.
pub(crate) async fn make_until(
    store: &dyn Store,
    end: Moment,
    data: Vec<(KeyName, Value)>,
) -> ServiceId {
    let service = NewService {
        end,
        data,
        ..empty()
    };
    let id = service.id.clone();
    assert_eq!(store.create(service).await.unwrap(), Created::New);
    id
}

/// Makes a service that holds `data`.
pub(crate) async fn make(store: &dyn Store, data: Vec<(KeyName, Value)>) -> ServiceId {
    make_until(store, now().after(LONG), data).await
}

/// Writes what must be stored.
pub(crate) async fn write(store: &dyn Store, id: &ServiceId, changes: Changes) {
    assert_eq!(store.write(id, changes).await.unwrap(), Written::Stored);
}

/// All strings of a service, if it lives.
pub(crate) async fn all_texts(store: &dyn Store, id: &ServiceId) -> Option<Vec<(String, String)>> {
    let read = store.read_all(id, usize::MAX).await.unwrap()?;
    let AllTexts::Texts(texts) = read else {
        panic!("{read:?}");
    };
    Some(texts)
}

/// All strings of a service that lives, in order.
pub(crate) async fn texts(store: &dyn Store, id: &ServiceId) -> Vec<(String, String)> {
    let mut texts = all_texts(store, id).await.unwrap();
    texts.sort();
    texts
}

/// `texts` as [`texts`] gives them.
pub(crate) fn pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    texts.iter().map(pair).collect()
}

/// Stores `bytes` for service `id`; nothing names them yet.
pub(crate) async fn upload(store: &dyn Store, id: &ServiceId, bytes: &[u8]) -> Binary {
    let blob = BlobId::fresh();
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

/// The bytes of a binary; `None` when they are gone.
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

/// Bytes that differ from place to place.
pub(crate) fn some_bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}
