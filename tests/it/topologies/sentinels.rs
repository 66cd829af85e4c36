//! Sentinels that are stale, or of no use: the primary that works stays in use, and a new one is found.

use std::time::Duration;

use redis::{Value, aio::MultiplexedConnection, cmd};

use crate::support::{
    Answer, Bodies, TestApp, eventually,
    own_server::OwnServer,
    random_prefix,
    readiness::{readiness, reason_is},
    sentinel::{FakeSentinel, Says},
};

/// A service behind sentinels; `url` has their addresses.
async fn app_behind(url: &str) -> TestApp {
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
async fn pair() -> (OwnServer, OwnServer) {
    let (primary, old) = (OwnServer::start(&[]).await, OwnServer::start(&[]).await);
    follow(&old, &primary).await;
    (primary, old)
}

async fn follow(server: &OwnServer, primary: &OwnServer) {
    let port = primary.port().to_string();
    server.tell(&["REPLICAOF", "127.0.0.1", &port]).await;
}

async fn connections_made(connection: &mut MultiplexedConnection) -> u64 {
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
async fn assert_steady(app: &TestApp, primary: &OwnServer, what: &str) {
    reason_is(app, "ready").await;
    let mut connection = primary.client().await.unwrap();
    // Those for subscriptions may still be made, within a second.
    let before = eventually("no more connections are made", async || {
        let before = connections_made(&mut connection).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        (connections_made(&mut connection).await == before).then_some(before)
    })
    .await;
    for _ in 0..60 {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let answer = Answer::of(create).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(connections_made(&mut connection).await, before, "{what}");
    assert_eq!(readiness(app).await.0, 200, "{what}");
}

#[tokio::test]
async fn a_stale_sentinel_takes_no_connection_away_wherever_it_stands_in_the_url() {
    let (primary, old) = pair().await;
    for epochs in [
        [Some(1), Some(2)],
        [None, None],
        [Some(2), Some(2)],
        [Some(3), Some(2)],
    ] {
        let stale = FakeSentinel::start(Says::Primary(old.port(), epochs[0]));
        let right = || FakeSentinel::start(Says::Primary(primary.port(), epochs[1]));
        let (second, third) = (right(), right());
        for order in [
            [&stale, &second, &third],
            [&second, &stale, &third],
            [&second, &third, &stale],
        ] {
            let app = app_behind(&url_of(&order)).await;
            assert_steady(&app, &primary, &format!("{epochs:?}")).await;
            if epochs[0] != Some(1) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn sentinels_of_no_use_are_passed_over() {
    let (primary, old) = pair().await;
    let (dead, right) = (OwnServer::absent(), Says::Primary(primary.port(), Some(2)));
    for says in [
        Says::Primary(dead.port(), Some(1)),
        Says::Primary(dead.port(), Some(3)),
        Says::Nothing,
        Says::Error,
        Says::Silence,
        Says::Late(old.port(), Duration::from_millis(400)),
        Says::Primary(old.port(), Some(1)),
    ] {
        let (first, second) = (FakeSentinel::start(says), FakeSentinel::start(right));
        // Nobody listens at the last one.
        let url = format!("{},{}", url_of(&[&first, &second]), dead.address());
        let app = app_behind(&url).await;
        assert_steady(&app, &primary, &format!("{says:?}")).await;
    }
}

#[tokio::test]
async fn a_primary_that_works_is_kept_while_no_sentinel_names_it() {
    let (primary, old) = pair().await;
    let sentinel = FakeSentinel::start(Says::Primary(primary.port(), Some(2)));
    let app = app_behind(&sentinel.address()).await;
    assert_steady(&app, &primary, "named").await;
    for says in [
        Says::Silence,
        Says::Error,
        Says::Nothing,
        Says::Primary(old.port(), Some(1)),
    ] {
        sentinel.say(says);
        let (status, body) = reason_is(&app, "sentinels_unreachable").await;
        assert_eq!(status, 200, "{body}");
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        assert_eq!(Answer::of(create).await.status, 200, "{says:?}");
    }
    sentinel.say(Says::Primary(primary.port(), Some(2)));
    reason_is(&app, "ready").await;
}

async fn has_services(server: &OwnServer) -> bool {
    let mut connection = server.client().await.unwrap();
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
        let (old, new) = pair().await;
        let named = || FakeSentinel::start(Says::Primary(old.port(), Some(1)));
        let sentinels = [named(), named(), named()];
        let app = app_behind(&url_of(&[&sentinels[0], &sentinels[1], &sentinels[2]])).await;
        let service = app.create("a=1").await;
        eventually("the replica has it", async || {
            has_services(&new).await.then_some(())
        })
        .await;
        new.tell(&["REPLICAOF", "NO", "ONE"]).await;
        new.tell(&["FLUSHALL"]).await;
        if old_is_told {
            follow(&old, &new).await;
        }
        for sentinel in &sentinels[1..] {
            sentinel.say(Says::Primary(new.port(), Some(2)));
        }
        eventually("it is written to the new one", async || {
            let create = app.post("/genesys/1/service/store").form_body("a=1");
            let answer = Answer::of(create).await;
            if answer.status != 200 {
                answer.message_of("StoreUnavailable", 503);
            }
            has_services(&new).await.then_some(())
        })
        .await;
        assert_steady(&app, &new, "after the failover").await;
        Answer::of(app.get(&service))
            .await
            .message_of("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn a_primary_that_loads_its_data_is_named_as_the_reason() {
    let server = OwnServer::start(&[]).await;
    let more = "for n = 1, 3000 do redis.call('SET', 'more' .. n, string.rep('x', 100)) end";
    server.tell(&["EVAL", more, "0"]).await;
    server.tell(&["SAVE"]).await;
    server.kill();
    let slowly = [
        ("key-load-delay", "1000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.run(&slowly);
    let sentinel = FakeSentinel::start(Says::Primary(server.port(), Some(1)));
    let app = app_behind(&sentinel.address()).await;
    assert_eq!(reason_is(&app, "store_loading").await.0, 503);
    reason_is(&app, "ready").await;
}

#[tokio::test]
async fn sentinels_that_know_no_such_primary_are_named_as_the_reason() {
    let sentinel = FakeSentinel::start(Says::Nothing);
    let app = app_behind(&sentinel.address()).await;
    let (status, body) = reason_is(&app, "no_primary").await;
    assert_eq!(status, 503);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("redis.sentinel_master"),
        "{body}"
    );
}
