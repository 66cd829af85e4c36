//! Redis itself in trouble: suspended, started again with or without what it had, loading, demoted.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{in_time, message_of_away, recovers};
use crate::support::{
    Answer, Bodies, TestApp,
    bookings::{book, book_when_free, end, matched},
    eventually,
    own_server::OwnServer,
    proxy::Proxy,
    random_prefix,
};

/// With these it keeps every change on disk before it acknowledges it.
const CAREFUL: [(&str, &str); 2] = [("appendonly", "yes"), ("appendfsync", "always")];

async fn app_at(url: &str) -> TestApp {
    let overrides = [
        ("redis.url", url),
        ("redis.answer_timeout_ms", "300"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    TestApp::start(None, &random_prefix(), &overrides).await
}

/// Waits until requests are answered that the store is away, and sees that nobody is sent here.
async fn outage_shows(app: &TestApp) {
    eventually("the outage shows", async || {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let answer = in_time(create).await;
        (answer.status != 200).then(|| message_of_away(&answer))
    })
    .await;
    assert_eq!(Answer::of(app.get("/readyz")).await.status, 503);
    Answer::of(app.get("/livez")).await.assert_ok();
}

/// Writes one key after another until `enough` says so, given how many were stored and how many failed.
/// Gives those that were stored.
async fn write_until(
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
        let answer = in_time(write.form_body(&format!("{key}={key}"))).await;
        if answer.status == 200 {
            stored.push(key);
        } else {
            message_of_away(&answer);
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
    let server = OwnServer::start(&[]).await;
    let app = app_at(&server.url()).await;
    let service = app.create("").await;
    let suspended = Instant::now();
    let stored = write_until(&app, &service, |stored, failed| {
        if stored == 50 && failed == 0 {
            server.signal("STOP");
        }
        failed == 5
    })
    .await;
    while suspended.elapsed() < Duration::from_secs(5) {
        outage_shows(&app).await;
    }
    server.signal("CONT");
    recovers(&app, "suspended for 5 s").await;
    assert_all_there(&app, &service, &stored).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_made_use_of_as_it_is() {
    let server = OwnServer::start(&[]).await;
    let app = app_at(&server.url()).await;
    let service = app.create("a=1").await;
    let held = book(&app, "_provide_code=true").await;
    server.kill();
    outage_shows(&app).await;
    server.run(&[]);
    recovers(&app, "restarted empty").await;

    for lost in [&service, &held.service()] {
        let answer = Answer::of(app.get(lost)).await;
        answer.message_of("ServiceNotFound", 404);
    }
    // The numbers are those of the catalogue again, and come back when their service ends: Redis tells
    // of it, as it was asked to again.
    let booked = book_when_free(&app, "_provide_code=true&_ttl=1800").await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(matched(&app, &call).await, booked.id);
    end(&app, &booked).await;
    let mut connection = server.client().await.unwrap();
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
    let server = OwnServer::start(&CAREFUL).await;
    let app = app_at(&server.url()).await;
    let service = app.create("a=1").await;
    let booked = book(&app, "_provide_code=true&_ttl=1800").await;
    let stored = write_until(&app, &service, |stored, failed| {
        if stored == 200 && failed == 0 {
            server.kill();
        }
        failed == 5
    })
    .await;
    outage_shows(&app).await;
    server.run(&CAREFUL);
    recovers(&app, "restarted from its append-only file").await;
    assert_all_there(&app, &service, &stored).await;
    assert_eq!(app.storage(&service).await["a"], "1");
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(matched(&app, &call).await, booked.id);
}

#[tokio::test]
async fn a_redis_that_loads_what_it_had_is_away_until_it_has() {
    let server = OwnServer::start(&[]).await;
    let app = app_at(&server.url()).await;
    let service = app.create("").await;
    let stored = write_until(&app, &service, |stored, _| stored == 100).await;
    let more = "for n = 1, 1500 do redis.call('SET', 'more' .. n, string.rep('x', 100)) end";
    server.tell(&["EVAL", more, "0"]).await;
    server.tell(&["SAVE"]).await;
    server.kill();
    // Each key takes two milliseconds to load; commands are answered meanwhile.
    let slowly = [
        ("key-load-delay", "2000"),
        ("loading-process-events-interval-bytes", "1024"),
    ];
    server.run(&slowly);
    eventually("it says that it loads", async || {
        server.is_loading().await.then_some(())
    })
    .await;
    outage_shows(&app).await;
    eventually("it has loaded", async || server.client().await.map(drop)).await;
    recovers(&app, "loaded").await;
    assert_all_there(&app, &service, &stored).await;
}

#[tokio::test]
async fn a_redis_that_is_made_a_replica_is_read_and_refuses_changes() {
    let nobody = OwnServer::absent();
    let server = OwnServer::start(&[]).await;
    let app = app_at(&server.url()).await;
    let service = app.create("a=1").await;
    let (_, port) = (nobody.url(), nobody.address());
    let port = port.rsplit_once(':').unwrap().1;
    server.tell(&["REPLICAOF", "127.0.0.1", port]).await;
    for _ in 0..20 {
        for change in [
            app.post("/genesys/1/service/store").form_body("a=1"),
            app.post(&format!("{service}/storage")).form_body("b=2"),
            app.put(&service).form_body("ttl=60"),
            app.delete(&format!("{service}/storage/a")),
            app.delete(&service),
        ] {
            let message = message_of_away(&in_time(change).await);
            assert!(message.contains("nothing was changed"), "{message}");
        }
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
    let ready = Answer::of(app.get("/readyz")).await;
    assert_eq!(ready.status, 200);
    assert!(
        ready.text().starts_with("OK, restricted: read_only: "),
        "{}",
        ready.text()
    );
    server.tell(&["REPLICAOF", "NO", "ONE"]).await;
    recovers(&app, "promoted again").await;
}

#[tokio::test]
async fn a_primary_that_another_one_follows_behind_the_same_address_is_left() {
    let (first, second) = (OwnServer::start(&[]).await, OwnServer::start(&[]).await);
    let proxy = Proxy::to(&first.address());
    let app = app_at(&proxy.url()).await;
    app.create("a=1").await;
    let (host, port) = second
        .address()
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    first.tell(&["REPLICAOF", &host, &port]).await;
    // Connections that are open stay where they are, as with most addresses that move.
    proxy.lead_to(&second.address());
    recovers(&app, "another primary behind the same address").await;
    let mut connection = second.client().await.unwrap();
    let all = redis::cmd("KEYS").arg("*svc:*").to_owned();
    let made: Vec<String> = all.query_async(&mut connection).await.unwrap();
    assert!(!made.is_empty());
}
