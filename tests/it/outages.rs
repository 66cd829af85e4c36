//! Redis away: at the start, in the middle, or there and silent.
//!
//! Many of these tell how long after the trouble the first request succeeds (`--nocapture` shows it); the
//! table of failures in `docs/failure-modes.md` has those figures.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, eventually, print_duration,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

mod load;
mod readiness;
mod server;
mod uploads;

/// What the tests here set as `redis.response_timeout_ms`.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(300);
/// Longest time for any answer, whatever has become of Redis.
const MAX_RESPONSE_TIME: Duration = Duration::from_millis(1_300);

/// Within which time the first request succeeds again, on a machine that has other things to do too.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A service that reaches Redis through a proxy, and a replica that needs none.
struct Fixture {
    proxy: Proxy,
    app: TestApp,
    replica: TestApp,
}

impl Fixture {
    /// One whose Redis is as `way` says from the start.
    async fn start(way: ProxyMode, overrides: &[(&str, &str)]) -> Self {
        let redis = TestRedis::shared();
        let proxy = Proxy::new(&redis.url().replace("redis://", ""));
        proxy.set_mode(way);
        let url = proxy.url();
        let mut all = vec![
            ("redis.url", url.as_str()),
            ("redis.response_timeout_ms", "300"),
            ("redis.connect_timeout_ms", "1000"),
            ("redis.pool_timeout_ms", "1000"),
        ];
        all.extend_from_slice(overrides);
        let app = TestApp::start(Some(redis), &random_prefix(), &all).await;
        let replica = app.start_replica().await;
        Self {
            proxy,
            app,
            replica,
        }
    }

    async fn new() -> Self {
        Self::start(ProxyMode::Forward(Duration::ZERO), &[]).await
    }

    /// One with a single worker, so that all requests take the same lane.
    async fn with_one_worker() -> Self {
        let one_lane = [("server.workers", "1")];
        Self::start(ProxyMode::Forward(Duration::ZERO), &one_lane).await
    }

    async fn node_status(&self) -> (u16, String) {
        let request = self.app.get("/genesys/1/admin/node/status");
        let answer = TestResponse::send(request).await;
        (answer.status.as_u16(), answer.text().to_owned())
    }

    /// Waits until both workers serve again.
    async fn wait_until_ready(&self) {
        wait_until_ready(&self.app).await;
    }
}

/// Waits until all workers serve: each has lanes of its own.
async fn wait_until_ready(app: &TestApp) {
    eventually("it works again", async || {
        for _ in 0..10 {
            let ready = TestResponse::send(app.get("/readyz")).await;
            (ready.status == 200).then_some(())?;
        }
        Some(())
    })
    .await;
}

/// Waits for the first request that succeeds; all that fail until then say that the store is away.
async fn assert_recovers(app: &TestApp, after: &str) {
    let over = Instant::now();
    eventually("a request succeeds", async || {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let answer = send_within_limit(create).await;
        if answer.status == 200 {
            return Some(());
        }
        unavailable_message(&answer);
        None
    })
    .await;
    let took = over.elapsed();
    print_duration(
        &format!("from the end ({after}) to the first success"),
        took,
    );
    assert!(took < RECOVERY_TIMEOUT, "{took:?}");
    wait_until_ready(app).await;
}

/// Sends a request, which must be answered in time.
async fn send_within_limit(request: RequestBuilder) -> TestResponse {
    let asked = Instant::now();
    let answer = TestResponse::send(request).await;
    let took = asked.elapsed();
    assert!(took < MAX_RESPONSE_TIME, "{took:?}: {}", answer.text());
    answer
}

/// Checks that the answer says that the store is away, and gives its message.
fn unavailable_message(answer: &TestResponse) -> String {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    answer.error_message("StoreUnavailable", 503)
}

#[tokio::test]
async fn a_service_starts_without_redis_and_works_when_redis_comes() {
    let fixture = Fixture::start(ProxyMode::Close, &[]).await;
    let app = &fixture.app;
    TestResponse::send(app.get("/livez")).await.assert_ok();
    let ready = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(ready.status, 503);
    assert_eq!(fixture.node_status().await, (503, "OFFLINE".to_owned()));
    for request in [
        app.post("/genesys/1/service/store").form_body("a=1"),
        app.get("/genesys/1/service/some-id/storage"),
        app.get("/genesys/1/service/some-id/storage/a"),
        app.get("/genesys/1/service/some-id/storage/binary/a"),
        app.post("/genesys/1/service/some-id/storage")
            .form_body("a=1"),
        app.get("/genesys/1/service/some-id"),
        app.put("/genesys/1/service/some-id").form_body("ttl=60"),
        app.delete("/genesys/1/service/some-id"),
    ] {
        let message = unavailable_message(&send_within_limit(request).await);
        assert!(message.contains("nothing was changed"), "{message}");
    }

    fixture.proxy.restore();
    assert_recovers(app, "away from the start").await;
    assert_eq!(fixture.node_status().await, (200, "ONLINE".to_owned()));
}

#[tokio::test]
async fn a_redis_that_falls_silent_is_waited_for_once_and_then_no_more() {
    let fixture = Fixture::with_one_worker().await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    fixture.proxy.set_mode(ProxyMode::Stall);

    unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
    eventually("requests fail at once", async || {
        let asked = Instant::now();
        unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
        (asked.elapsed() < RESPONSE_TIMEOUT / 4).then_some(())
    })
    .await;
    let asked = Instant::now();
    for _ in 0..20 {
        unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
    }
    let took = asked.elapsed();
    assert!(took < 20 * RESPONSE_TIMEOUT / 4, "{took:?} for 20");
    TestResponse::send(fixture.app.get("/livez"))
        .await
        .assert_ok();
    assert_eq!(fixture.node_status().await, (503, "OFFLINE".to_owned()));

    fixture.proxy.restore();
    assert_recovers(&fixture.app, "silent").await;
    assert_eq!(fixture.node_status().await, (200, "ONLINE".to_owned()));
    assert_eq!(fixture.replica.storage(&service).await, json!({"a": "1"}));
}

#[tokio::test]
async fn a_redis_that_is_cut_off_is_found_again() {
    let fixture = Fixture::new().await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    for _ in 0..3 {
        fixture.proxy.set_mode(ProxyMode::Close);
        eventually("the outage shows", async || {
            let answer = send_within_limit(fixture.app.get(&path)).await;
            (answer.status == 503).then(|| unavailable_message(&answer))
        })
        .await;
        assert_eq!(fixture.node_status().await, (503, "OFFLINE".to_owned()));
        fixture.proxy.restore();
        assert_recovers(&fixture.app, "cut off").await;
        let again = eventually("it reads again", async || {
            let answer = send_within_limit(fixture.app.get(&path)).await;
            (answer.status == 200).then(|| answer.json())
        });
        assert_eq!(again.await, json!({"a": "1"}));
    }
}

#[tokio::test]
async fn an_idle_service_notices_by_itself_that_redis_is_silent() {
    let fixture = Fixture::with_one_worker().await;
    fixture.proxy.set_mode(ProxyMode::Stall);
    // Nobody asks for anything that needs Redis for longer than it may take to notice. The first who
    // then does is answered at once.
    let quiet = Instant::now();
    let noticed = Duration::from_secs(3);
    eventually("it had the time to notice", async || {
        TestResponse::send(fixture.app.get("/livez"))
            .await
            .assert_ok();
        (quiet.elapsed() > noticed).then_some(())
    })
    .await;
    let asked = Instant::now();
    let create = fixture.app.post("/genesys/1/service/store");
    unavailable_message(&TestResponse::send(create).await);
    assert!(asked.elapsed() < RESPONSE_TIMEOUT / 2);
}

#[tokio::test]
async fn a_slow_redis_is_waited_for_and_requests_do_not_queue() {
    let patient = [
        ("server.workers", "1"),
        ("redis.response_timeout_ms", "20000"),
    ];
    let fixture = Fixture::start(ProxyMode::Forward(Duration::ZERO), &patient).await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    // There and back, 200 ms.
    let delay = Duration::from_millis(100);
    fixture.proxy.set_mode(ProxyMode::Forward(delay));
    let asked = Instant::now();
    let reads = (0..40).map(|_| TestResponse::send(fixture.app.get(&path)));
    for answer in futures_util::future::join_all(reads).await {
        assert_eq!(answer.json(), json!({"a": "1"}));
    }
    // One after the other they would take forty times there and back.
    let took = asked.elapsed();
    assert!(took >= 2 * delay && took < 20 * delay, "{took:?}");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_given_to_nobody() {
    let fixture = Fixture::with_one_worker().await;
    let service = fixture.replica.create("k0=0&k1=1&k2=2&k3=3").await;
    let read = async |n: usize| {
        let path = format!("{service}/storage/k{n}");
        let answer = send_within_limit(fixture.app.get(&path)).await;
        if answer.status == 200 {
            let expected = json!({ format!("k{n}"): n.to_string() });
            assert_eq!(answer.json(), expected);
            return true;
        }
        unavailable_message(&answer);
        false
    };
    fixture
        .proxy
        .set_mode(ProxyMode::Forward(2 * RESPONSE_TIMEOUT));
    for n in 0..4 {
        assert!(!read(n).await);
    }
    fixture.proxy.restore();
    let mut given = 0;
    eventually("answers are given again", async || {
        given += usize::from(read(given % 4).await);
        (given == 40).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_the_middle_is_no_answer() {
    let fixture = Fixture::with_one_worker().await;
    let long = "x".repeat(40_000);
    let service = fixture.replica.create(&format!("a={long}")).await;
    let storage = format!("{service}/storage");
    let mut made = 0;
    for n in 0..5 {
        fixture.proxy.set_mode(ProxyMode::Truncate);
        unavailable_message(&send_within_limit(fixture.app.get(&storage)).await);
        fixture.proxy.restore();
        fixture.wait_until_ready().await;
        fixture.proxy.set_mode(ProxyMode::Truncate);
        let key = format!("b{n}");
        let write = fixture
            .app
            .post(&storage)
            .form_body(&format!("{key}={long}"));
        let message = unavailable_message(&send_within_limit(write).await);
        fixture.proxy.restore();
        fixture.wait_until_ready().await;
        // Unless something else was torn before it, it was made though its answer was lost.
        let is_made = !message.contains("nothing was changed");
        let held = fixture.app.storage(&service).await;
        assert_eq!(held.get(key).is_some(), is_made, "{message}");
        made += u32::from(is_made);
    }
    assert!(made > 0);
}
