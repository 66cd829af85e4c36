//! A `redis.mode` that does not match the server: the replica is not ready and reports the correct mode.

use serde_json::json;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse, dedicated_redis::DedicatedRedis,
    program::Program, random_prefix, readiness::wait_for_reason,
};

/// Asserts that a replica in `mode` at `url` is not ready and that its message contains the mode
/// `right`.
async fn assert_wrong_mode(mode: &str, url: &str, right: &str) {
    let settings = [
        ("redis.url", url),
        ("redis.mode", mode),
        ("redis.sentinel_master", "master0"),
    ];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let (status, body) = wait_for_reason(&app, "wrong_mode").await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(body["ready"], json!(false));
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("redis.mode is {mode}, but ")),
        "{message}"
    );
    assert!(
        message.contains(&format!("set redis.mode = {right}")),
        "{message}"
    );
    let create = app.post("/genesys/1/service/store").form_body("a=1");
    TestResponse::send(create)
        .await
        .error_message("StoreUnavailable", 503);
}

/// Returns the URL of a sentinel.
fn sentinel_url(redis: &TestRedis) -> String {
    let settings = redis.settings();
    settings
        .iter()
        .find(|(name, _)| *name == "redis.url")
        .unwrap()
        .1
        .clone()
}

#[tokio::test]
async fn wrong_mode_is_reported_with_correct_mode() {
    let single = DedicatedRedis::start(&[]).await;
    let member = DedicatedRedis::start(&[("cluster-enabled", "yes")]).await;
    let sentinels = TestRedis::shared_kind(RedisKind::Sentinel);
    let sentinel = sentinel_url(&sentinels);
    for (mode, url, right) in [
        ("single", member.url(), "cluster"),
        ("single", format!("{}/3", member.url()), "cluster"),
        ("single", sentinel.clone(), "sentinel"),
        ("single", format!("{sentinel}/3"), "sentinel"),
        ("cluster", single.url(), "single"),
        ("cluster", sentinel, "sentinel"),
        ("sentinel", single.url(), "single"),
        ("sentinel", member.url(), "cluster"),
    ] {
        assert_wrong_mode(mode, &url, right).await;
    }
}

#[tokio::test]
async fn log_names_correct_mode() {
    let member = DedicatedRedis::start(&[("cluster-enabled", "yes")]).await;
    let mut program = Program::serve(&[("redis.url", &member.url())]);
    program.address().await;
    program
        .wait_for_log_event("replica is not ready", |line| {
            let line = line.to_string();
            line.contains("wrong_mode") && line.contains("set redis.mode = cluster")
        })
        .await;
}

#[tokio::test]
async fn missing_database_is_reported() {
    let default = DedicatedRedis::start(&[]).await;
    let larger = DedicatedRedis::start(&[("databases", "17")]).await;
    for url in [
        format!("{}/16", default.url()),
        format!("{}/999999999", default.url()),
        format!("{}/17", larger.url()),
    ] {
        let app = TestApp::start(None, &random_prefix(), &[("redis.url", &url)]).await;
        let (status, body) = wait_for_reason(&app, "no_such_database").await;
        assert_eq!(status, 503, "{body}");
        let message = body["message"].as_str().unwrap();
        assert!(
            message.starts_with("redis.url names a database"),
            "{message}"
        );
        assert!(message.contains("`databases`"), "{message}");
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        TestResponse::send(create)
            .await
            .error_message("StoreUnavailable", 503);
    }
    for url in [
        format!("{}/15", default.url()),
        format!("{}/16", larger.url()),
    ] {
        let app = TestApp::start(None, &random_prefix(), &[("redis.url", &url)]).await;
        let service = app.create("a=1").await;
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
}
