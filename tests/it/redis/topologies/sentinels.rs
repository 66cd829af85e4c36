//! Stale or unusable sentinels: the working primary stays in use, and a new one is found.

use std::time::Duration;

use redis::{Value, aio::MultiplexedConnection, cmd};

use crate::support::{
    Bodies, TestApp, TestResponse,
    dedicated_redis::DedicatedRedis,
    eventually, random_prefix,
    readiness::{readiness, wait_for_reason},
    sentinel::{FakeSentinel, SentinelReply},
};

/// Starts a replica with the sentinels at these addresses.
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

/// A primary, and a replica that was the primary before.
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

/// Asserts that every create succeeds for longer than three polls of the sentinels, and that no
/// connection to the primary is opened meanwhile.
async fn assert_stays_connected(app: &TestApp, primary: &DedicatedRedis, context: &str) {
    wait_for_reason(app, "ready").await;
    let mut connection = primary.connection().await.unwrap();
    // Subscriptions may still be opened within a second.
    let before = eventually("no more connections are opened", async || {
        let before = total_connections(&mut connection).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        (total_connections(&mut connection).await == before).then_some(before)
    })
    .await;
    for _ in 0..60 {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let response = TestResponse::send(create).await;
        assert_eq!(response.status, 200, "{context}: {}", response.text());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(
        total_connections(&mut connection).await,
        before,
        "{context}"
    );
    assert_eq!(readiness(app).await.0, 200, "{context}");
}

#[tokio::test]
async fn stale_sentinel_does_not_replace_primary_at_any_position() {
    let (primary, old) = primary_and_replica().await;
    for epochs in [
        [Some(1), Some(2)],
        [None, None],
        [Some(2), Some(2)],
        [Some(3), Some(2)],
    ] {
        let stale = FakeSentinel::start(SentinelReply::Primary(old.port(), epochs[0]));
        let current = || FakeSentinel::start(SentinelReply::Primary(primary.port(), epochs[1]));
        let (second, third) = (current(), current());
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
async fn unusable_sentinels_are_skipped() {
    let (primary, old) = primary_and_replica().await;
    let (dead, current) = (
        DedicatedRedis::not_started(),
        SentinelReply::Primary(primary.port(), Some(2)),
    );
    for reply in [
        SentinelReply::Primary(dead.port(), Some(1)),
        SentinelReply::Primary(dead.port(), Some(3)),
        SentinelReply::Unknown,
        SentinelReply::Error,
        SentinelReply::Hang,
        SentinelReply::Delayed(old.port(), Duration::from_millis(400)),
        SentinelReply::Primary(old.port(), Some(1)),
    ] {
        let (first, second) = (FakeSentinel::start(reply), FakeSentinel::start(current));
        // No server listens at the last address.
        let url = format!("{},{}", url_of(&[&first, &second]), dead.address());
        let app = start_behind(&url).await;
        assert_stays_connected(&app, &primary, &format!("{reply:?}")).await;
    }
}

#[tokio::test]
async fn working_primary_remains_in_use_without_sentinels() {
    let (primary, old) = primary_and_replica().await;
    let sentinel = FakeSentinel::start(SentinelReply::Primary(primary.port(), Some(2)));
    let app = start_behind(&sentinel.address()).await;
    assert_stays_connected(&app, &primary, "named").await;
    for reply in [
        SentinelReply::Hang,
        SentinelReply::Error,
        SentinelReply::Unknown,
        SentinelReply::Primary(old.port(), Some(1)),
    ] {
        sentinel.set_reply(reply);
        let (status, body) = wait_for_reason(&app, "sentinels_unreachable").await;
        assert_eq!(status, 200, "{body}");
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        assert_eq!(TestResponse::send(create).await.status, 200, "{reply:?}");
    }
    sentinel.set_reply(SentinelReply::Primary(primary.port(), Some(2)));
    wait_for_reason(&app, "ready").await;
}

#[tokio::test]
async fn last_sentinel_that_is_stale_is_reported() {
    let (primary, old) = primary_and_replica().await;
    for stale_epoch in [Some(1), Some(3), None] {
        let start = || FakeSentinel::start(SentinelReply::Primary(primary.port(), Some(2)));
        let sentinels = [start(), start(), start()];
        let app = start_behind(&url_of(&[&sentinels[0], &sentinels[1], &sentinels[2]])).await;
        wait_for_reason(&app, "ready").await;
        sentinels[0].set_reply(SentinelReply::Primary(old.port(), stale_epoch));
        sentinels[1].set_reply(SentinelReply::Error);
        sentinels[2].set_reply(SentinelReply::Hang);
        let (status, body) = wait_for_reason(&app, "sentinels_unreachable").await;
        assert_eq!(status, 200, "{body}");
        for _ in 0..10 {
            let create = app.post("/genesys/1/service/store").form_body("a=1");
            assert_eq!(
                TestResponse::send(create).await.status,
                200,
                "{stale_epoch:?}"
            );
        }
        sentinels[1].set_reply(SentinelReply::Primary(primary.port(), Some(2)));
        wait_for_reason(&app, "ready").await;
    }
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
async fn failover_is_followed_despite_stale_sentinel() {
    // The old primary may remain a primary for seconds.
    for old_is_demoted in [true, false] {
        let (old, new) = primary_and_replica().await;
        let old_sentinel = || FakeSentinel::start(SentinelReply::Primary(old.port(), Some(1)));
        let sentinels = [old_sentinel(), old_sentinel(), old_sentinel()];
        let app = start_behind(&url_of(&[&sentinels[0], &sentinels[1], &sentinels[2]])).await;
        let service = app.create("a=1").await;
        eventually("the service is replicated", async || {
            has_services(&new).await.then_some(())
        })
        .await;
        new.command(&["REPLICAOF", "NO", "ONE"]).await;
        new.command(&["FLUSHALL"]).await;
        if old_is_demoted {
            replicate(&old, &new).await;
        }
        for sentinel in &sentinels[1..] {
            sentinel.set_reply(SentinelReply::Primary(new.port(), Some(2)));
        }
        eventually("writes reach the new primary", async || {
            let create = app.post("/genesys/1/service/store").form_body("a=1");
            let response = TestResponse::send(create).await;
            if response.status != 200 {
                response.error_message("StoreUnavailable", 503);
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
async fn loading_primary_is_reported() {
    let server = DedicatedRedis::start(&[]).await;
    let fill = "for n = 1, 3000 do redis.call('SET', 'fill' .. n, string.rep('x', 100)) end";
    server.command(&["EVAL", fill, "0"]).await;
    server.command(&["SAVE"]).await;
    server.kill();
    let slowly = [
        ("key-load-delay", "2000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.spawn(&slowly);
    let sentinel = FakeSentinel::start(SentinelReply::Primary(server.port(), Some(1)));
    let app = start_behind(&sentinel.address()).await;
    assert_eq!(wait_for_reason(&app, "store_loading").await.0, 503);
    wait_for_reason(&app, "ready").await;
}

#[tokio::test]
async fn unknown_sentinel_master_is_reported() {
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
