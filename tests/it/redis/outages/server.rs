//! Problems of the Redis server: suspended, restarted with or without its data, loading, demoted.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{assert_recovers, send_within_limit, unavailable_message};
use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{book_number, book_when_free, delete_service, match_call},
    dedicated_redis::{DURABLE, DedicatedRedis},
    eventually,
    proxy::Proxy,
    random_prefix,
};

async fn start_on(url: &str) -> TestApp {
    let overrides = [
        ("redis.url", url),
        ("redis.response_timeout_ms", "1000"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    TestApp::start(None, &random_prefix(), &overrides).await
}

/// Waits until requests fail with `StoreUnavailable`, and asserts that the replica is not ready.
async fn wait_for_outage(app: &TestApp) {
    eventually("the outage is detected", async || {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let response = send_within_limit(create).await;
        (response.status != 200).then(|| unavailable_message(&response))
    })
    .await;
    assert_eq!(TestResponse::send(app.get("/readyz")).await.status, 503);
    TestResponse::send(app.get("/livez")).await.assert_ok();
}

/// Writes one key after another until `enough` returns true for the numbers of stored and failed writes.
/// Returns the stored keys.
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
        let response = send_within_limit(write.form_body(&format!("{key}={key}"))).await;
        if response.status == 200 {
            stored.push(key);
        } else {
            unavailable_message(&response);
            failed += 1;
        }
    }
    stored
}

async fn assert_all_stored(app: &TestApp, service: &str, stored: &[String]) {
    let storage = app.storage(service).await;
    for key in stored {
        assert_eq!(storage[key], *key.as_str(), "acknowledged");
    }
}

#[tokio::test]
async fn suspended_redis_does_not_block_requests() {
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
    assert_all_stored(&app, &service, &stored).await;
}

#[tokio::test]
async fn redis_restarted_empty_is_used() {
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("a=1").await;
    let booked_before = book_number(&app, "_provide_code=true").await;
    server.kill();
    wait_for_outage(&app).await;
    server.spawn(&[]);
    assert_recovers(&app, "restarted empty").await;

    for lost in [&service, &booked_before.service_path()] {
        let response = TestResponse::send(app.get(lost)).await;
        response.error_message("ServiceNotFound", 404);
    }
    // The numbers of the catalog are available again and are released when their service ends: keyspace
    // notifications are enabled again.
    let booked = book_when_free(&app, "_provide_code=true&_ttl=1800").await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
    delete_service(&app, &booked).await;
    let mut connection = server.connection().await.unwrap();
    eventually("no keys of the service remain", async || {
        let all = redis::cmd("KEYS")
            .arg(format!("*{}*", booked.id))
            .to_owned();
        let remaining: Vec<String> = all.query_async(&mut connection).await.unwrap();
        remaining.is_empty().then_some(())
    })
    .await;
    let get_flags = redis::cmd("CONFIG")
        .arg("GET")
        .arg("notify-keyspace-events")
        .to_owned();
    eventually("keyspace notifications are enabled again", async || {
        let (_, flags): (String, String) = get_flags.query_async(&mut connection).await.unwrap();
        (!flags.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn redis_with_append_only_file_survives_crash() {
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
    assert_all_stored(&app, &service, &stored).await;
    assert_eq!(app.storage(&service).await["a"], "1");
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
}

#[tokio::test]
async fn loading_redis_is_unavailable() {
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("").await;
    let stored = write_until_failure(&app, &service, |stored, _| stored == 100).await;
    let fill = "for n = 1, 1500 do redis.call('SET', 'fill' .. n, string.rep('x', 100)) end";
    server.command(&["EVAL", fill, "0"]).await;
    server.command(&["SAVE"]).await;
    server.kill();
    // Each key takes four milliseconds to load; Redis processes commands meanwhile.
    let slowly = [
        ("key-load-delay", "4000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.spawn(&slowly);
    eventually("the server is loading", async || {
        server.is_loading().await.then_some(())
    })
    .await;
    wait_for_outage(&app).await;
    eventually("the server has loaded", async || {
        server.connection().await.map(drop)
    })
    .await;
    assert_recovers(&app, "loaded").await;
    assert_all_stored(&app, &service, &stored).await;
}

#[tokio::test]
async fn demoted_redis_serves_reads_and_rejects_writes() {
    let missing = DedicatedRedis::not_started();
    let server = DedicatedRedis::start(&[]).await;
    let app = start_on(&server.url()).await;
    let service = app.create("a=1").await;
    let (_, port) = (missing.url(), missing.address());
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
            assert!(message.contains("no changes were made"), "{message}");
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
async fn new_primary_at_same_address_is_used() {
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
    // Open connections remain at the old server, as with most addresses that move.
    proxy.set_target(&second.address());
    assert_recovers(&app, "another primary behind the same address").await;
    let mut connection = second.connection().await.unwrap();
    let all = redis::cmd("KEYS").arg("*svc:*").to_owned();
    let created: Vec<String> = all.query_async(&mut connection).await.unwrap();
    assert!(!created.is_empty());
}
