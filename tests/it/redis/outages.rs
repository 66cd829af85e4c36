//! Outages of Redis: at the start, during operation, and unresponsive.
//!
//! Many tests print the time until the first successful request (with `--nocapture`); the table in
//! `docs/failure-modes.md` has these times.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, eventually, print_duration,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

mod closed_connections;
mod load;
mod readiness;
mod server;
mod uploads;

/// The `redis.response_timeout_ms` of these tests.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum response time in any state of Redis: the timeouts of a response and of a connection, on a busy machine.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(6);

/// The maximum time until the first successful request after an outage, on a busy machine.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// A replica that reaches Redis through a proxy, and one without a proxy.
struct Fixture {
    proxy: Proxy,
    app: TestApp,
    replica: TestApp,
}

impl Fixture {
    /// Starts replicas with the proxy in this mode.
    async fn start(mode: ProxyMode, overrides: &[(&str, &str)]) -> Self {
        let redis = TestRedis::shared();
        let proxy = Proxy::to_redis(&redis);
        proxy.set_mode(mode);
        let url = proxy.url();
        let mut all = vec![
            ("redis.url", url.as_str()),
            ("redis.response_timeout_ms", "1000"),
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

    /// Starts replicas with one worker, so that all requests share one multiplexed connection.
    async fn with_one_worker() -> Self {
        let one_worker = [("server.workers", "1")];
        Self::start(ProxyMode::Forward(Duration::ZERO), &one_worker).await
    }

    async fn node_status(&self) -> (u16, String) {
        let request = self.app.get("/genesys/1/admin/node/status");
        let response = TestResponse::send(request).await;
        (response.status.as_u16(), response.text().to_owned())
    }

    /// Waits until the replica is ONLINE: a check of a busy Redis can time out.
    async fn wait_until_online(&self) {
        eventually("the replica is ONLINE", async || {
            (self.node_status().await == (200, "ONLINE".to_owned())).then_some(())
        })
        .await;
    }

    /// Waits until both workers serve requests again.
    async fn wait_until_ready(&self) {
        wait_until_ready(&self.app).await;
    }
}

/// Waits until all workers serve requests: each has its own connections.
async fn wait_until_ready(app: &TestApp) {
    eventually("all workers serve requests", async || {
        for _ in 0..10 {
            let ready = TestResponse::send(app.get("/readyz")).await;
            (ready.status == 200).then_some(())?;
        }
        Some(())
    })
    .await;
}

/// Waits for the first successful request; all failures until then must be `StoreUnavailable`.
async fn assert_recovers(app: &TestApp, after: &str) {
    let restored_at = Instant::now();
    eventually("a request succeeds", async || {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let response = send_within_limit(create).await;
        if response.status == 200 {
            return Some(());
        }
        unavailable_message(&response);
        None
    })
    .await;
    let elapsed = restored_at.elapsed();
    print_duration(
        &format!("from the end ({after}) to the first success"),
        elapsed,
    );
    assert!(elapsed < RECOVERY_TIMEOUT, "{elapsed:?}");
    wait_until_ready(app).await;
}

/// Sends a request and asserts that it completes in time.
async fn send_within_limit(request: RequestBuilder) -> TestResponse {
    let sent_at = Instant::now();
    let response = TestResponse::send(request).await;
    let elapsed = sent_at.elapsed();
    assert!(
        elapsed < MAX_RESPONSE_TIME,
        "{elapsed:?}: {}",
        response.text()
    );
    response
}

/// Asserts that the response is `StoreUnavailable`, and returns its message.
fn unavailable_message(response: &TestResponse) -> String {
    assert_eq!(response.status, 503, "{}", response.text());
    let seconds: u64 = response.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    response.error_message("StoreUnavailable", 503)
}

#[tokio::test]
async fn starts_without_redis_and_recovers() {
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
        assert!(message.contains("no changes were made"), "{message}");
    }

    fixture.proxy.restore();
    assert_recovers(app, "unavailable from the start").await;
    fixture.wait_until_online().await;
}

#[tokio::test]
async fn unresponsive_redis_delays_only_the_first_request() {
    let fixture = Fixture::with_one_worker().await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    fixture.proxy.set_mode(ProxyMode::Stall);

    unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
    eventually("requests fail at once", async || {
        let sent_at = Instant::now();
        unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
        (sent_at.elapsed() < RESPONSE_TIMEOUT / 4).then_some(())
    })
    .await;
    let started_at = Instant::now();
    for _ in 0..20 {
        unavailable_message(&send_within_limit(fixture.app.get(&path)).await);
    }
    let elapsed = started_at.elapsed();
    assert!(elapsed < 20 * RESPONSE_TIMEOUT / 4, "{elapsed:?} for 20");
    TestResponse::send(fixture.app.get("/livez"))
        .await
        .assert_ok();
    assert_eq!(fixture.node_status().await, (503, "OFFLINE".to_owned()));

    fixture.proxy.restore();
    assert_recovers(&fixture.app, "silent").await;
    fixture.wait_until_online().await;
    assert_eq!(fixture.replica.storage(&service).await, json!({"a": "1"}));
}

#[tokio::test]
async fn reconnects_after_closed_connections() {
    let fixture = Fixture::new().await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    for _ in 0..3 {
        fixture.proxy.set_mode(ProxyMode::Close);
        eventually("the outage is detected", async || {
            let response = send_within_limit(fixture.app.get(&path)).await;
            (response.status == 503).then(|| unavailable_message(&response))
        })
        .await;
        assert_eq!(fixture.node_status().await, (503, "OFFLINE".to_owned()));
        fixture.proxy.restore();
        assert_recovers(&fixture.app, "cut off").await;
        let recovered = eventually("reads succeed again", async || {
            let response = send_within_limit(fixture.app.get(&path)).await;
            (response.status == 200).then(|| response.json())
        });
        assert_eq!(recovered.await, json!({"a": "1"}));
    }
}

#[tokio::test]
async fn idle_connection_detects_unresponsive_redis() {
    let fixture = Fixture::with_one_worker().await;
    fixture.proxy.set_mode(ProxyMode::Stall);
    // No request uses Redis for longer than the detection takes. The first one then fails immediately.
    let idle_since = Instant::now();
    let detection_time = Duration::from_secs(4);
    eventually("the outage had time to be detected", async || {
        TestResponse::send(fixture.app.get("/livez"))
            .await
            .assert_ok();
        (idle_since.elapsed() > detection_time).then_some(())
    })
    .await;
    let create = fixture.app.post("/genesys/1/service/store");
    let message = unavailable_message(&send_within_limit(create).await);
    // Otherwise it would be sent, and its outcome would be unknown after the timeout.
    assert!(message.contains("no changes were made"), "{message}");
}

#[tokio::test]
async fn requests_to_slow_redis_are_pipelined() {
    let settings = [
        ("server.workers", "1"),
        ("redis.response_timeout_ms", "20000"),
    ];
    let fixture = Fixture::start(ProxyMode::Forward(Duration::ZERO), &settings).await;
    let service = fixture.replica.create("a=1").await;
    let path = format!("{service}/storage/a");
    // A round trip takes 200 ms.
    let delay = Duration::from_millis(100);
    fixture.proxy.set_mode(ProxyMode::Forward(delay));
    let started_at = Instant::now();
    let reads = (0..40).map(|_| TestResponse::send(fixture.app.get(&path)));
    for response in futures_util::future::join_all(reads).await {
        assert_eq!(response.json(), json!({"a": "1"}));
    }
    // Sequentially they would take forty round trips, of two delays each.
    let elapsed = started_at.elapsed();
    assert!(elapsed >= 2 * delay && elapsed < 40 * delay, "{elapsed:?}");
}

#[tokio::test]
async fn late_replies_are_discarded() {
    let fixture = Fixture::with_one_worker().await;
    let service = fixture.replica.create("k0=0&k1=1&k2=2&k3=3").await;
    let read = async |n: usize| {
        let path = format!("{service}/storage/k{n}");
        let response = send_within_limit(fixture.app.get(&path)).await;
        if response.status == 200 {
            let expected = json!({ format!("k{n}"): n.to_string() });
            assert_eq!(response.json(), expected);
            return true;
        }
        unavailable_message(&response);
        false
    };
    fixture
        .proxy
        .set_mode(ProxyMode::Forward(2 * RESPONSE_TIMEOUT));
    // A worker that was not scheduled until the reply was there returns it.
    let mut late = 0;
    eventually("replies are late", async || {
        late += usize::from(!read(late % 4).await);
        (late == 4).then_some(())
    })
    .await;
    fixture.proxy.restore();
    let mut successes = 0;
    eventually("requests succeed again", async || {
        successes += usize::from(read(successes % 4).await);
        (successes == 40).then_some(())
    })
    .await;
}

#[tokio::test]
async fn truncated_reply_is_an_error() {
    let fixture = Fixture::with_one_worker().await;
    let long = "x".repeat(40_000);
    let service = fixture.replica.create(&format!("a={long}")).await;
    let storage = format!("{service}/storage");
    let mut stored = 0;
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
        // Unless an earlier reply was truncated, the write was executed and only its reply was lost.
        let is_stored = !message.contains("no changes were made");
        let contents = fixture.replica.storage(&service).await;
        assert_eq!(contents.get(key).is_some(), is_stored, "{message}");
        stored += u32::from(is_stored);
    }
    assert!(stored > 0);
}
