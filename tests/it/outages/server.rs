//! Redis itself in trouble: suspended, started again with or without what it had, loading, demoted.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{assert_recovers, send_within_limit, unavailable_message};
use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{book_number, book_when_free, delete_service, match_call},
    dedicated_redis::DedicatedRedis,
    eventually,
    proxy::Proxy,
    random_prefix,
};

/// With these it keeps every change on disk before it acknowledges it.
const DURABLE: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

async fn start_on(url: &str) -> TestApp {
    let overrides = [
        ("redis.url", url),
        ("redis.response_timeout_ms", "300"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    TestApp::start(None, &random_prefix(), &overrides).await
}

/// Waits until requests are answered that the store is away, and sees that nobody is sent here.
async fn wait_for_outage(app: &TestApp) {
    eventually("the outage shows", async || {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let answer = send_within_limit(create).await;
        (answer.status != 200).then(|| unavailable_message(&answer))
    })
    .await;
    assert_eq!(TestResponse::send(app.get("/readyz")).await.status, 503);
    TestResponse::send(app.get("/livez")).await.assert_ok();
}

/// Writes one key after another until `enough` says so, given how many were stored and how many failed.
/// Gives those that were stored.
async fn write_until_failure(
    app: &TestApp,
    service: &str,
    mut enough: impl FnMut(usize, usize) -> bool,
) -> Vec<String> {
    let (mut stored, mut failed) = (Vec::new(), 0);
    for n in 0.. {
        if enough(stored.len(), failed) {
            break;
        }
        let key = format!("key{n}");
        let write = app.post(&format!("{service}/storage"));
        let answer = send_within_limit(write.form_body(&format!("{key}={key}"))).await;
        if answer.status == 200 {
            stored.push(key);
        } else {
            unavailable_message(&answer);
            failed += 1;
        }
    }
    stored
}

async fn assert_all_there(app: &TestApp, service: &str, stored: &[String]) {
    let held = app.storage(service).await;
    for key in stored {
        assert_eq!(held[key], *key.as_str(), "acknowledged");
    }
}

#[tokio::test]
async fn a_redis_that_is_suspended_for_five_seconds_is_not_waited_for() {
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("").await;
    let suspended = Instant::now();
    let stored = write_until_failure(&app, &service, |stored, failed| {
        if stored == 50 && failed == 0 {
            server.signal("STOP");
        }
        failed == 5
    })
    .await;
    while suspended.elapsed() < Duration::from_secs(5) {
        wait_for_outage(&app).await;
    }
    server.signal("CONT");
    assert_recovers(&app, "suspended for 5 s").await;
    assert_all_there(&app, &service, &stored).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_made_use_of_as_it_is() {
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("a=1").await;
    let held = book_number(&app, "_provide_code=true").await;
    server.kill();
    wait_for_outage(&app).await;
    server.spawn(&[]);
    assert_recovers(&app, "restarted empty").await;

    for lost in [&service, &held.service_path()] {
        let answer = TestResponse::send(app.get(lost)).await;
        answer.error_message("ServiceNotFound", 404);
    }
    // The numbers are those of the catalogue again, and come back when their service ends: Redis tells
    // of it, as it was asked to again.
    let booked = book_when_free(&app, "_provide_code=true&_ttl=1800").await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
    delete_service(&app, &booked).await;
    let mut connection = server.connection().await.unwrap();
    eventually("nothing is left of it", async || {
        let all = redis::cmd("KEYS")
            .arg(format!("*{}*", booked.id))
            .to_owned();
        let left: Vec<String> = all.query_async(&mut connection).await.unwrap();
        left.is_empty().then_some(())
    })
    .await;
    let told = redis::cmd("CONFIG")
        .arg("GET")
        .arg("notify-keyspace-events")
        .to_owned();
    eventually("Redis is asked to tell of ends again", async || {
        let (_, flags): (String, String) = told.query_async(&mut connection).await.unwrap();
        (!flags.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_kept_everything_on_disk_has_it_after_a_crash() {
    let server = DedicatedRedis::start(&DURABLE).await;
    let app = start_on(&server.url()).await;
    let service = app.create("a=1").await;
    let booked = book_number(&app, "_provide_code=true&_ttl=1800").await;
    let stored = write_until_failure(&app, &service, |stored, failed| {
        if stored == 200 && failed == 0 {
            server.kill();
        }
        failed == 5
    })
    .await;
    wait_for_outage(&app).await;
    server.spawn(&DURABLE);
    assert_recovers(&app, "restarted from its append-only file").await;
    assert_all_there(&app, &service, &stored).await;
    assert_eq!(app.storage(&service).await["a"], "1");
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
}

#[tokio::test]
async fn a_redis_that_loads_what_it_had_is_away_until_it_has() {
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("").await;
    let stored = write_until_failure(&app, &service, |stored, _| stored == 100).await;
    let more = "for n = 1, 1500 do redis.call('SET', 'more' .. n, string.rep('x', 100)) end";
    server.command(&["EVAL", more, "0"]).await;
    server.command(&["SAVE"]).await;
    server.kill();
    // Each key takes two milliseconds to load; commands are answered meanwhile.
    let slowly = [
        ("key-load-delay", "2000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.spawn(&slowly);
    eventually("it says that it loads", async || {
        server.is_loading().await.then_some(())
    })
    .await;
    wait_for_outage(&app).await;
    eventually("it has loaded", async || {
        server.connection().await.map(drop)
    })
    .await;
    assert_recovers(&app, "loaded").await;
    assert_all_there(&app, &service, &stored).await;
}

#[tokio::test]
async fn a_redis_that_is_made_a_replica_is_read_and_refuses_changes() {
    let nobody = DedicatedRedis::not_started();
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("a=1").await;
    let (_, port) = (nobody.url(), nobody.address());
    let port = port.rsplit_once(':').unwrap().1;
    server.command(&["REPLICAOF", "127.0.0.1", port]).await;
    for _ in 0..20 {
        for change in [
            app.post("/genesys/1/service/store").form_body("a=1"),
            app.post(&format!("{service}/storage")).form_body("b=2"),
            app.put(&service).form_body("ttl=60"),
            app.delete(&format!("{service}/storage/a")),
            app.delete(&service),
        ] {
            let message = unavailable_message(&send_within_limit(change).await);
            assert!(message.contains("nothing was changed"), "{message}");
        }
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
    let ready = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(ready.status, 200);
    assert!(
        ready.text().starts_with("OK, degraded: read_only: "),
        "{}",
        ready.text()
    );
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
    assert_recovers(&app, "promoted again").await;
}

#[tokio::test]
async fn a_primary_that_another_one_follows_behind_the_same_address_is_left() {
    let (first, second) = (
        DedicatedRedis::start(&[]).await,
        DedicatedRedis::start(&[]).await,
    );
    let proxy = Proxy::new(&first.address());
    let app = start_on(&proxy.url()).await;
    app.create("a=1").await;
    let (host, port) = second
        .address()
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    first.command(&["REPLICAOF", &host, &port]).await;
    // Connections that are open stay where they are, as with most addresses that move.
    proxy.set_target(&second.address());
    assert_recovers(&app, "another primary behind the same address").await;
    let mut connection = second.connection().await.unwrap();
    let all = redis::cmd("KEYS").arg("*svc:*").to_owned();
    let made: Vec<String> = all.query_async(&mut connection).await.unwrap();
    assert!(!made.is_empty());
}
