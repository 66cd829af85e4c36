//! Changes that wait for replicas, and requests that do not wait because too many do.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

#[tokio::test]
async fn a_change_that_a_replica_has_is_acknowledged() {
    let redis = TestRedis::shared_kind(RedisKind::Sentinel);
    let careful = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "20000"),
    ];
    let app = TestApp::start(Some(redis), &random_prefix(), &careful).await;
    let service = app.create("a=1").await;
    let writes = (0..50).map(|n| {
        let write = app.post(&format!("{service}/storage"));
        TestResponse::send(write.form_body(&format!("key{n}=1")))
    });
    for answer in join_all(writes).await {
        answer.assert_empty();
    }
    let told = app.get_service(&service).await;
    assert_eq!(told["_keys"].as_array().unwrap().len(), 51);
}

#[tokio::test]
async fn a_change_that_too_few_replicas_have_is_made_and_its_client_does_not_know() {
    let careful = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "100"),
    ];
    let redis = TestRedis::shared();
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &careful).await;
    let careless = TestApp::start(Some(redis), &app.prefix, &[]).await;
    let service = careless.create("a=1").await;
    let write = app.post(&format!("{service}/storage")).form_body("b=2");
    let message = TestResponse::send(write)
        .await
        .error_message("StoreUnavailable", 503);
    assert!(message.contains("is unknown"), "{message}");
    assert_eq!(app.storage(&service).await, json!({"a": "1", "b": "2"}));
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused_at_once_and_the_others_are_answered() {
    let redis = TestRedis::shared();
    let proxy = Proxy::new(&redis.url().replace("redis://", ""));
    let url = proxy.url();
    let few = [
        ("redis.url", url.as_str()),
        ("redis.max_in_flight", "5"),
        ("server.workers", "1"),
    ];
    let app = TestApp::start(Some(redis), &random_prefix(), &few).await;
    let service = app.create("a=1").await;
    proxy.set_mode(ProxyMode::Forward(Duration::from_millis(300)));
    let path = format!("{service}/storage/a");
    let answers = join_all((0..40).map(|_| TestResponse::send(app.get(&path)))).await;
    let (answered, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert!(answered.len() >= 5, "{}", answered.len());
    assert!(!refused.is_empty());
    for answer in refused {
        let message = answer.error_message("StoreUnavailable", 503);
        assert!(
            message.starts_with("the store has too many requests in flight"),
            "{message}"
        );
        assert_eq!(answer.header("retry-after"), "1");
    }
    // Whoever was refused has left its place.
    for _ in 0..10 {
        assert_eq!(TestResponse::send(app.get(&path)).await.status, 200);
    }
}
