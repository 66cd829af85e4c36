//! Sentinels that are stale, or of no use: the primary that works stays in use, and a new one is found.

use std::time::Duration;

use redis::{Value, aio::MultiplexedConnection, cmd};

use crate::support::{
    Bodies, TestApp, TestResponse,
    dedicated_redis::DedicatedRedis,
    eventually, random_prefix,
    readiness::{readiness, wait_for_reason},
    sentinel::{FakeSentinel, SentinelReply},
};

/// A service behind sentinels; `url` has their addresses.
async fn start_behind(url: &str) -> TestApp {
    let url = format!("redis://{url}");
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.mode", "sentinel"),
        ("redis.sentinel_master", "main"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    TestApp::start(None, &random_prefix(), &settings).await
}

fn url_of(sentinels: &[&FakeSentinel]) -> String {
    let addresses = sentinels.iter().map(|sentinel| sentinel.address());
    addresses.collect::<Vec<_>>().join(",")
}

/// A primary, and a replica that was it before.
async fn primary_and_replica() -> (DedicatedRedis, DedicatedRedis) {
    let (primary, old) = (
        DedicatedRedis::start(&[]).await,
        DedicatedRedis::start(&[]).await,
    );
    replicate(&old, &primary).await;
    (primary, old)
}

async fn replicate(server: &DedicatedRedis, primary: &DedicatedRedis) {
    let port = primary.port().to_string();
    server.command(&["REPLICAOF", "127.0.0.1", &port]).await;
}

async fn total_connections(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = cmd("INFO")
        .arg("stats")
        .query_async(connection)
        .await
        .unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("total_connections_received:"));
    line.unwrap().parse().unwrap()
}

/// Every create succeeds for longer than three looks at the sentinels take, and no connection to the
/// primary is opened meanwhile.
async fn assert_stays_connected(app: &TestApp, primary: &DedicatedRedis, what: &str) {
    wait_for_reason(app, "ready").await;
    let mut connection = primary.connection().await.unwrap();
    // Those for subscriptions may still be made, within a second.
    let before = eventually("no more connections are made", async || {
        let before = total_connections(&mut connection).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        (total_connections(&mut connection).await == before).then_some(before)
    })
    .await;
    for _ in 0..60 {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let answer = TestResponse::send(create).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(total_connections(&mut connection).await, before, "{what}");
    assert_eq!(readiness(app).await.0, 200, "{what}");
}

#[tokio::test]
async fn a_stale_sentinel_takes_no_connection_away_wherever_it_stands_in_the_url() {
    let (primary, old) = primary_and_replica().await;
    for epochs in [
        [Some(1), Some(2)],
        [None, None],
        [Some(2), Some(2)],
        [Some(3), Some(2)],
    ] {
        let stale = FakeSentinel::start(SentinelReply::Primary(old.port(), epochs[0]));
        let right = || FakeSentinel::start(SentinelReply::Primary(primary.port(), epochs[1]));
        let (second, third) = (right(), right());
        for order in [
            [&stale, &second, &third],
            [&second, &stale, &third],
            [&second, &third, &stale],
        ] {
            let app = start_behind(&url_of(&order)).await;
            assert_stays_connected(&app, &primary, &format!("{epochs:?}")).await;
            if epochs[0] != Some(1) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn sentinels_of_no_use_are_passed_over() {
    let (primary, old) = primary_and_replica().await;
    let (dead, right) = (
        DedicatedRedis::not_started(),
        SentinelReply::Primary(primary.port(), Some(2)),
    );
    for says in [
        SentinelReply::Primary(dead.port(), Some(1)),
        SentinelReply::Primary(dead.port(), Some(3)),
        SentinelReply::Unknown,
        SentinelReply::Error,
        SentinelReply::Hang,
        SentinelReply::Delayed(old.port(), Duration::from_millis(400)),
        SentinelReply::Primary(old.port(), Some(1)),
    ] {
        let (first, second) = (FakeSentinel::start(says), FakeSentinel::start(right));
        // Nobody listens at the last one.
        let url = format!("{},{}", url_of(&[&first, &second]), dead.address());
        let app = start_behind(&url).await;
        assert_stays_connected(&app, &primary, &format!("{says:?}")).await;
    }
}

#[tokio::test]
async fn a_primary_that_works_is_kept_while_no_sentinel_names_it() {
    let (primary, old) = primary_and_replica().await;
    let sentinel = FakeSentinel::start(SentinelReply::Primary(primary.port(), Some(2)));
    let app = start_behind(&sentinel.address()).await;
    assert_stays_connected(&app, &primary, "named").await;
    for says in [
        SentinelReply::Hang,
        SentinelReply::Error,
        SentinelReply::Unknown,
        SentinelReply::Primary(old.port(), Some(1)),
    ] {
        sentinel.set_reply(says);
        let (status, body) = wait_for_reason(&app, "sentinels_unreachable").await;
        assert_eq!(status, 200, "{body}");
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        assert_eq!(TestResponse::send(create).await.status, 200, "{says:?}");
    }
    sentinel.set_reply(SentinelReply::Primary(primary.port(), Some(2)));
    wait_for_reason(&app, "ready").await;
}

async fn has_services(server: &DedicatedRedis) -> bool {
    let mut connection = server.connection().await.unwrap();
    let keys: Vec<Value> = cmd("KEYS")
        .arg("*svc:*")
        .query_async(&mut connection)
        .await
        .unwrap();
    !keys.is_empty()
}

#[tokio::test]
async fn a_failover_is_followed_though_one_sentinel_is_stale() {
    // The old primary may take seconds until it learns that it is none any more.
    for old_is_told in [true, false] {
        let (old, new) = primary_and_replica().await;
        let named = || FakeSentinel::start(SentinelReply::Primary(old.port(), Some(1)));
        let sentinels = [named(), named(), named()];
        let app = start_behind(&url_of(&[&sentinels[0], &sentinels[1], &sentinels[2]])).await;
        let service = app.create("a=1").await;
        eventually("the replica has it", async || {
            has_services(&new).await.then_some(())
        })
        .await;
        new.command(&["REPLICAOF", "NO", "ONE"]).await;
        new.command(&["FLUSHALL"]).await;
        if old_is_told {
            replicate(&old, &new).await;
        }
        for sentinel in &sentinels[1..] {
            sentinel.set_reply(SentinelReply::Primary(new.port(), Some(2)));
        }
        eventually("it is written to the new one", async || {
            let create = app.post("/genesys/1/service/store").form_body("a=1");
            let answer = TestResponse::send(create).await;
            if answer.status != 200 {
                answer.error_message("StoreUnavailable", 503);
            }
            has_services(&new).await.then_some(())
        })
        .await;
        assert_stays_connected(&app, &new, "after the failover").await;
        TestResponse::send(app.get(&service))
            .await
            .error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn a_primary_that_loads_its_data_is_named_as_the_reason() {
    let server = DedicatedRedis::start(&[]).await;
    let more = "for n = 1, 3000 do redis.call('SET', 'more' .. n, string.rep('x', 100)) end";
    server.command(&["EVAL", more, "0"]).await;
    server.command(&["SAVE"]).await;
    server.kill();
    let slowly = [
        ("key-load-delay", "1000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.spawn(&slowly);
    let sentinel = FakeSentinel::start(SentinelReply::Primary(server.port(), Some(1)));
    let app = start_behind(&sentinel.address()).await;
    assert_eq!(wait_for_reason(&app, "store_loading").await.0, 503);
    wait_for_reason(&app, "ready").await;
}

#[tokio::test]
async fn sentinels_that_know_no_such_primary_are_named_as_the_reason() {
    let sentinel = FakeSentinel::start(SentinelReply::Unknown);
    let app = start_behind(&sentinel.address()).await;
    let (status, body) = wait_for_reason(&app, "no_primary").await;
    assert_eq!(status, 503);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("redis.sentinel_master"),
        "{body}"
    );
}
