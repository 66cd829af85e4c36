//! What `/readyz` says, and why: Redis that reads but does not write, and Redis that does nothing.

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

/// The service reads and refuses writes with `exception`; it is ready, and shows `reason`.
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
        let told = metrics.value(&format!("ready{{reason=\"{reason}\"}}"));
        assert!((told - value).abs() < 0.5, "{reason}: {told}");
    }

    for write in write_requests(app, service) {
        let answer = send_within_limit(write).await;
        let message = answer.error_message(exception, 503);
        assert!(message.contains("nothing was changed"), "{message}");
        assert_eq!(
            answer.header("retry-after").is_empty(),
            exception == "StoreFull"
        );
    }
    assert_eq!(app.storage(service).await, json!({"a": "1"}));
}

/// One by one, everything that lets Redis read and keeps it from writing.
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
async fn a_redis_that_cannot_save_its_data_is_ready_and_shows_it() {
    // Nothing can be saved in its folder.
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
async fn a_redis_that_is_full_is_ready_and_shows_it() {
    let (set, unset) = (
        ["CONFIG", "SET", "maxmemory", "1"],
        ["CONFIG", "SET", "maxmemory", "0"],
    );
    assert_config_restricts(&set, &unset, "store_full", "StoreFull").await;
}

#[tokio::test]
async fn a_redis_that_misses_its_replicas_is_ready_and_shows_it() {
    let set = |count| ["CONFIG", "SET", "min-replicas-to-write", count];
    assert_config_restricts(&set("1"), &set("0"), "too_few_replicas", "StoreUnavailable").await;
}

#[tokio::test]
async fn a_redis_that_is_a_replica_is_ready_and_shows_it() {
    let nobody = DedicatedRedis::not_started();
    let port = nobody.port().to_string();
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
async fn a_redis_that_is_away_is_named_as_the_reason_and_the_host_is_not() {
    let server = DedicatedRedis::not_started();
    let app = start_on(&server).await;
    let (status, body) = wait_for_reason(&app, "store_unreachable").await;
    assert_eq!(status, 503);
    assert_eq!(
        (&body["status"], &body["ready"]),
        (&json!("not_ready"), &json!(false))
    );
    // What operators made could not be read either.
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
async fn a_redis_that_refuses_the_password_is_named_as_the_reason() {
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
async fn json_is_given_to_those_who_ask_for_it_and_text_to_all_others() {
    let app = TestApp::on_memory().await;
    let kind = async |accept: Option<&str>| {
        let request = app.get("/readyz");
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.status, 200);
        answer
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
        assert_eq!(kind(Some(json)).await, "application/json", "{json}");
    }
    for text in [
        None,
        Some("*/*"),
        Some("text/plain"),
        Some("application/json;q=0, text/plain"),
    ] {
        assert_eq!(kind(text).await, "text/plain", "{text:?}");
    }
}
