//! `/readyz` and its reasons: Redis that rejects writes, and Redis that is unavailable.

use reqwest::RequestBuilder;
use serde_json::json;

use super::send_within_limit;
use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::book_number,
    dedicated_redis::DedicatedRedis,
    metrics::Metrics,
    random_prefix,
    readiness::{readiness, wait_for_reason},
};

async fn start_on(server: &DedicatedRedis) -> TestApp {
    let url = server.url();
    TestApp::start(None, &random_prefix(), &[("redis.url", &url)]).await
}

fn write_requests(app: &TestApp, service: &str) -> Vec<RequestBuilder> {
    let create = |name: &str| app.post(&format!("/genesys/1/service/{name}"));
    vec![
        create("store").form_body("a=1"),
        create("store")
            .header("idempotency-key", "0123456789abcdef")
            .form_body("a=1"),
        create("request-interaction").form_body("_provide_code=true"),
        app.post(&format!("{service}/storage")).form_body("b=2"),
    ]
}

/// Asserts that reads succeed, writes fail with `exception`, and the replica is ready with `reason`.
async fn assert_restricted(app: &TestApp, service: &str, reason: &str, exception: &str) {
    let (status, body) = wait_for_reason(app, reason).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["status"], "degraded");
    assert_eq!(body["ready"], true);
    assert_eq!(body["reasons"][0]["blocking"], false);
    assert!(
        body["message"].as_str().unwrap().contains("reads work"),
        "{body}"
    );
    let text = TestResponse::send(app.get("/readyz")).await;
    assert!(
        text.text()
            .starts_with(&format!("OK, degraded: {reason}: ")),
        "{}",
        text.text()
    );
    let node = TestResponse::send(app.get("/genesys/1/admin/node/status")).await;
    assert_eq!((node.status.as_u16(), node.text()), (200, "ONLINE"));
    let metrics = Metrics::scrape(app.address).await;
    for (reason, value) in [("ready", 1.0), (reason, 1.0), ("store_unreachable", 0.0)] {
        let sample = metrics.value(&format!("ready{{reason=\"{reason}\"}}"));
        assert!((sample - value).abs() < 0.5, "{reason}: {sample}");
    }

    for write in write_requests(app, service) {
        let response = send_within_limit(write).await;
        let message = response.error_message(exception, 503);
        assert!(message.contains("no changes were made"), "{message}");
        assert_eq!(
            response.header("retry-after").is_empty(),
            exception == "StoreFull"
        );
    }
    assert_eq!(app.storage(service).await, json!({"a": "1"}));
}

/// Asserts the readiness for a configuration of Redis that rejects writes.
async fn assert_config_restricts(set: &[&str], unset: &[&str], reason: &str, exception: &str) {
    let server = DedicatedRedis::start(&[("dir", "/proc"), ("save", "3600 1")]).await;
    let app = start_on(&server).await;
    let service = app.create("a=1").await;
    book_number(&app, "_provide_code=true").await;
    let (status, body) = wait_for_reason(&app, "ready").await;
    assert_eq!((status, &body["status"]), (200, &json!("ready")));
    assert_eq!(body["reasons"], json!([]));
    server.command(set).await;
    assert_restricted(&app, &service, reason, exception).await;
    let (_, first) = readiness(&app).await;
    let (_, second) = readiness(&app).await;
    assert_eq!(first["since"], second["since"]);
    server.command(unset).await;
    wait_for_reason(&app, "ready").await;
    TestResponse::send(app.get("/readyz")).await.assert_ok();
    for write in write_requests(&app, &service) {
        assert_eq!(TestResponse::send(write).await.status, 200);
    }
}

#[tokio::test]
async fn failing_snapshots_degrade_readiness() {
    // Snapshots cannot be written to this directory.
    let stop_writes = ["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"];
    assert_config_restricts(
        &["BGSAVE"],
        &stop_writes,
        "snapshot_failing",
        "StoreUnavailable",
    )
    .await;
}

#[tokio::test]
async fn full_redis_degrades_readiness() {
    let (set, unset) = (
        ["CONFIG", "SET", "maxmemory", "1"],
        ["CONFIG", "SET", "maxmemory", "0"],
    );
    assert_config_restricts(&set, &unset, "store_full", "StoreFull").await;
}

#[tokio::test]
async fn too_few_replicas_degrade_readiness() {
    let set = |count| ["CONFIG", "SET", "min-replicas-to-write", count];
    assert_config_restricts(&set("1"), &set("0"), "too_few_replicas", "StoreUnavailable").await;
}

#[tokio::test]
async fn read_only_redis_degrades_readiness() {
    let missing = DedicatedRedis::not_started();
    let port = missing.port().to_string();
    let follow = ["REPLICAOF", "127.0.0.1", port.as_str()];
    assert_config_restricts(
        &follow,
        &["REPLICAOF", "NO", "ONE"],
        "read_only",
        "StoreUnavailable",
    )
    .await;
}

#[tokio::test]
async fn unreachable_redis_is_reported_without_its_address() {
    let server = DedicatedRedis::not_started();
    let app = start_on(&server).await;
    let (status, body) = wait_for_reason(&app, "store_unreachable").await;
    assert_eq!(status, 503);
    assert_eq!(
        (&body["status"], &body["ready"]),
        (&json!("not_ready"), &json!(false))
    );
    // The stored catalog could not be read either.
    assert_eq!(body["reasons"][1]["reason"], "starting");
    let text = TestResponse::send(app.get("/readyz")).await;
    assert!(
        text.text().starts_with("not ready: store_unreachable: "),
        "{}",
        text.text()
    );
    for internal in ["127.0.0.1", &server.port().to_string(), "refused"] {
        assert!(!body.to_string().contains(internal), "{body}");
    }
    let metrics = Metrics::scrape(app.address).await;
    assert!(metrics.value("ready{reason=\"store_unreachable\"}") > 0.5);
    assert!(metrics.value("ready{reason=\"ready\"}") < 0.5);
    server.spawn(&[]);
    wait_for_reason(&app, "ready").await;
}

#[tokio::test]
async fn failed_authentication_is_reported() {
    let server = DedicatedRedis::start(&[]).await;
    let with_password = server.url().replace("//", "//:hunter2@");
    server
        .command(&["CONFIG", "SET", "requirepass", "another"])
        .await;
    for url in [server.url(), with_password] {
        let app = TestApp::start(None, &random_prefix(), &[("redis.url", &url)]).await;
        let (status, body) = wait_for_reason(&app, "auth_failed").await;
        assert_eq!(status, 503);
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }
}

#[tokio::test]
async fn readiness_format_follows_accept_header() {
    let app = TestApp::on_memory().await;
    let content_type = async |accept: Option<&str>| {
        let request = app.get("/readyz");
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, 200);
        response
            .header("content-type")
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    for json in [
        "application/json",
        "application/json, */*;q=0.5",
        "APPLICATION/JSON",
    ] {
        assert_eq!(content_type(Some(json)).await, "application/json", "{json}");
    }
    for text in [
        None,
        Some("*/*"),
        Some("text/plain"),
        Some("application/json;q=0, text/plain"),
    ] {
        assert_eq!(content_type(text).await, "text/plain", "{text:?}");
    }
}
