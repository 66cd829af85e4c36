//! Changes that wait for Redis replicas, and the limit of operations in flight.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse,
    proxy::{Proxy, ProxyMode},
    random_prefix,
    readiness::wait_for_reason,
};

#[tokio::test]
async fn replicated_change_is_acknowledged() {
    let redis = TestRedis::shared_kind(RedisKind::Sentinel);
    let settings = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "20000"),
    ];
    let app = TestApp::start(Some(redis), &random_prefix(), &settings).await;
    let service = app.create("a=1").await;
    let writes = (0..50).map(|n| {
        let write = app.post(&format!("{service}/storage"));
        TestResponse::send(write.form_body(&format!("key{n}=1")))
    });
    for response in join_all(writes).await {
        response.assert_empty();
    }
    let service = app.get_service(&service).await;
    assert_eq!(service["_keys"].as_array().unwrap().len(), 51);
}

#[tokio::test]
async fn insufficiently_replicated_change_has_unknown_outcome() {
    let settings = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "100"),
    ];
    let redis = TestRedis::shared();
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &settings).await;
    let unreplicated = TestApp::start(Some(redis), &app.prefix, &[]).await;
    let service = unreplicated.create("a=1").await;
    let write = app.post(&format!("{service}/storage")).form_body("b=2");
    let message = TestResponse::send(write)
        .await
        .error_message("StoreUnavailable", 503);
    assert!(message.contains("is unknown"), "{message}");
    assert_eq!(app.storage(&service).await, json!({"a": "1", "b": "2"}));
}

#[tokio::test]
async fn requests_over_the_in_flight_limit_are_rejected() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let url = proxy.url();
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.max_in_flight", "5"),
        ("server.workers", "1"),
    ];
    let app = TestApp::start(Some(redis), &random_prefix(), &settings).await;
    let service = app.create("a=1").await;
    proxy.set_mode(ProxyMode::Forward(Duration::from_millis(300)));
    let path = format!("{service}/storage/a");
    let responses = join_all((0..40).map(|_| TestResponse::send(app.get(&path)))).await;
    let (served, rejected): (Vec<_>, Vec<_>) = responses
        .iter()
        .partition(|response| response.status == 200);
    assert!(served.len() >= 5, "{}", served.len());
    assert!(!rejected.is_empty());
    for response in rejected {
        let message = response.error_message("StoreUnavailable", 503);
        assert!(
            message.starts_with("the store has too many requests in flight"),
            "{message}"
        );
        assert_eq!(response.header("retry-after"), "1");
    }
    // Overload does not take the replica out of the load balancer.
    let load = async {
        loop {
            join_all((0..20).map(|_| TestResponse::send(app.get(&path)))).await;
        }
    };
    let (status, body) = tokio::select! {
        () = load => return,
        found = wait_for_reason(&app, "overloaded") => found,
    };
    assert_eq!(
        (status, body["ready"].as_bool()),
        (200, Some(true)),
        "{body}"
    );
    wait_for_reason(&app, "ready").await;
    // Rejected requests do not count as in flight.
    for _ in 0..10 {
        assert_eq!(TestResponse::send(app.get(&path)).await.status, 200);
    }
}
