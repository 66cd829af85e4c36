//! Resources that are released although Redis has evicted their records: `own:`, the index, keys of a
//! group.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::store::WallClock;

use super::lost_events::start_replica;
use crate::support::{
    RedisKind, TestApp, TestRedis, TestResponse,
    bookings::{
        assert_none_free, book_number, book_when_free, create, default_group_toml, delete_service,
        match_call, number, verify_bookings,
    },
    random_prefix,
};

/// The maximum duration of the cleanup according to the contract.
const CLEANUP_DEADLINE: Duration = Duration::from_secs(60);

async fn within_a_minute(condition: &str, mut check: impl AsyncFnMut() -> bool) {
    let started_at = Instant::now();
    while !check().await {
        assert!(
            started_at.elapsed() < CLEANUP_DEADLINE,
            "not within a minute: {condition}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Deletes keys, as a Redis without free memory evicts them.
async fn evict(app: &TestApp, pattern: &str) {
    let redis = app.redis.as_ref().unwrap();
    for mut connection in redis.connections().await {
        let keys = cmd("KEYS")
            .arg(format!("{}{pattern}", app.prefix))
            .to_owned();
        let keys: Vec<String> = keys.query_async(&mut connection).await.unwrap();
        for key in keys {
            let _: () = connection.del(key).await.unwrap();
        }
    }
}

/// Returns a connection to the server that has the group.
async fn group_connection(app: &TestApp) -> MultiplexedConnection {
    let redis = app.redis.as_ref().unwrap();
    for mut connection in redis.connections().await {
        let keys = cmd("KEYS").arg(format!("{}grp:*", app.prefix)).to_owned();
        let keys: Vec<String> = keys.query_async(&mut connection).await.unwrap();
        if !keys.is_empty() {
            return connection;
        }
    }
    panic!("no server has the group");
}

/// Makes all bookings of the default group a minute older, because the service of a new booking may
/// still be in creation.
async fn make_bookings_old(app: &TestApp) {
    let mut connection = group_connection(app).await;
    let key = |part: &str| format!("{}grp:{{DNIS}}:{part}", app.prefix);
    let all: Vec<(String, String)> = connection.hgetall(key("bookings")).await.unwrap();
    for (id, text) in all {
        let older = format!(
            "{:013}{}",
            WallClock::default().now().millis() - 60_000,
            &id[13..]
        );
        let ends: f64 = connection.zscore(key("booked"), &id).await.unwrap();
        let entries: Vec<String> = connection.zrange(key("index"), 0, -1).await.unwrap();
        for entry in entries.iter().filter(|entry| entry.ends_with(&id)) {
            let _: () = connection.zrem(key("index"), entry).await.unwrap();
            let entry = entry.replace(&id, &older);
            let _: () = connection.zadd(key("index"), entry, 0).await.unwrap();
        }
        let codes: Vec<(String, String)> = connection.hgetall(key("codes")).await.unwrap();
        for (code, _) in codes.iter().filter(|(_, booking)| *booking == id) {
            let _: () = connection.hset(key("codes"), code, &older).await.unwrap();
        }
        let _: () = connection
            .hset(key("bookings"), &older, text)
            .await
            .unwrap();
        let _: () = connection.zadd(key("booked"), &older, ends).await.unwrap();
        let _: () = connection.hdel(key("bookings"), &id).await.unwrap();
        let _: () = connection.zrem(key("booked"), &id).await.unwrap();
    }
}

const LONG: &str = "_booking_expiration_timeout=1800&_ttl=1800";

async fn is_free(app: &TestApp, group: &str) -> bool {
    let report = verify_bookings(app, group).await;
    report.booked.is_empty() && report.orphaned.is_empty() && report.lost.is_empty()
}

#[tokio::test]
async fn number_is_released_after_loss_of_owned_list() {
    for kind in [RedisKind::Single, RedisKind::Cluster] {
        let (redis, group) = (
            TestRedis::shared_kind(kind),
            default_group_toml("CLUSTER", 3),
        );
        for patterns in [
            &["own:*"][..],
            &["own:*", "idx:*"],
            &["own:*", "idx:*", "svc:*"],
        ] {
            let app = start_replica(&redis, &random_prefix(), &group).await;
            let (deleted, remaining) =
                (book_number(&app, LONG).await, book_number(&app, LONG).await);
            make_bookings_old(&app).await;
            for pattern in patterns {
                evict(&app, pattern).await;
            }
            if !patterns.contains(&"svc:*") {
                delete_service(&app, &deleted).await;
                within_a_minute("one number is booked", async || {
                    let report = verify_bookings(&app, &group).await;
                    report.orphaned.is_empty() && report.booked.len() == 1
                })
                .await;
                // The other service keeps its number while it is active, listed or not.
                let call = format!("_access_number={}", remaining.number);
                assert_eq!(match_call(&app, &call).await, remaining.id);
            }
            within_a_minute("all numbers are free", async || is_free(&app, &group).await).await;
            app.stop().await;
        }
    }
}

#[tokio::test]
async fn evicted_service_releases_number() {
    let (redis, group) = (TestRedis::shared(), default_group_toml("CLUSTER", 1));
    let app = start_replica(&redis, &random_prefix(), &group).await;
    book_number(&app, LONG).await;
    assert_none_free(&app, "").await;
    evict(&app, "svc:*").await;
    within_a_minute("the number is free", async || is_free(&app, &group).await).await;
}

#[tokio::test]
async fn group_with_lost_key_is_repaired() {
    let redis = Arc::new(TestRedis::dedicated());
    let exclusive = ["free", "numbers", "booked", "index", "codes", "version"];
    let exclusive = exclusive.map(|part| ("CLUSTER", part));
    let shared = ["free", "numbers"].map(|part| ("ROUND_ROBIN", part));
    let all = exclusive.into_iter().chain(shared);
    join_all(all.map(|(strategy, part)| assert_released_after_loss(&redis, strategy, part))).await;
}

/// Asserts that a group of four numbers, two of them booked, recovers from the loss of a key.
async fn assert_released_after_loss(redis: &Arc<TestRedis>, strategy: &str, part: &str) {
    let group = default_group_toml(strategy, 4);
    let app = start_replica(redis, &random_prefix(), &group).await;
    let form = format!("{LONG}&_provide_code=true&_phone_number=6504699999");
    let (first, second) = (
        book_number(&app, &form).await,
        book_number(&app, &form).await,
    );
    evict(&app, &format!("grp:{{DNIS}}:{part}")).await;
    within_a_minute("the keys are repaired", async || {
        let report = verify_bookings(&app, &group).await;
        report.is_clean() && report.booked.len() == 2
    })
    .await;
    let by_code = format!(
        "_access_number={}&_access_code={}",
        first.number,
        first.code()
    );
    let by_caller = format!("_access_number={}&_phone_number=6504699999", second.number);
    for (call, id) in [(by_code, &first.id), (by_caller, &second.id)] {
        within_a_minute("the call matches", async || {
            let response = create(&app, "match-interaction", &call).await;
            response.status == 200 && response.json()["_id"] == id.as_str()
        })
        .await;
    }
    let mut numbers = BTreeSet::new();
    for _ in 0..4 {
        numbers.insert(book_when_free(&app, LONG).await.number);
    }
    assert_eq!(numbers.len(), 4, "{strategy} {part}: {numbers:?}");
    if strategy == "CLUSTER" {
        assert_none_free(&app, LONG).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn group_with_lost_bookings_has_all_numbers_free() {
    let (redis, group) = (TestRedis::shared(), default_group_toml("CLUSTER", 2));
    let app = start_replica(&redis, &random_prefix(), &group).await;
    book_number(&app, LONG).await;
    book_number(&app, LONG).await;
    evict(&app, "grp:{DNIS}:bookings").await;
    within_a_minute("all numbers are free", async || is_free(&app, &group).await).await;
    let response = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(response.status, 200);
    let mut numbers = [
        book_number(&app, LONG).await.number,
        book_number(&app, LONG).await.number,
    ];
    numbers.sort();
    assert_eq!(numbers, [number(0), number(1)]);
}
