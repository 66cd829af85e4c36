//! Contract section 1, `StoreFull`: a full store rejects writes and otherwise works normally.

use std::sync::Arc;

use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{Bodies, Multipart, TestApp, TestRedis, TestResponse, eventually};

const STORE: &str = "/genesys/1/service/store";

/// Requests that need 600 KiB of additional memory each.
fn write_requests(app: &TestApp, service: &str) -> Vec<RequestBuilder> {
    let storage = format!("{service}/storage");
    let long = "x".repeat(600 * 1024);
    let file = || {
        Multipart::new()
            .text("Key1", "new")
            .file("f", "f", "a/b", long.as_bytes())
    };
    vec![
        app.post(STORE).form_body(&format!("Key2={long}")),
        app.post(STORE)
            .header("Idempotency-Key", "order-4711-of-0001")
            .form_body(&format!("Key2={long}")),
        app.post(STORE).multipart_body(file()),
        app.post(&storage)
            .form_body(&format!("Key1=new&Key2={long}")),
        app.post(&format!("{service}/update"))
            .form_body(&format!("Key2={long}")),
        app.post(&storage).multipart_body(file()),
    ]
}

async fn assert_full(app: &TestApp, service: &str) {
    let before = app.storage(service).await;
    for write in write_requests(app, service) {
        let message = TestResponse::send(write)
            .await
            .error_message("StoreFull", 503);
        for internal in ["OOM", "edis", "maxmemory", "bytes"] {
            assert!(!message.contains(internal), "{message}");
        }
    }
    assert_eq!(app.storage(service).await, before);
    assert_eq!(app.get_service(service).await["_binaries"], json!([]));
    TestResponse::send(app.put(service).form_body("ttl=60"))
        .await
        .assert_empty();
}

#[tokio::test]
async fn full_embedded_store_rejects_writes() {
    let app = TestApp::start(None, "t:", &[("memory.limit_mib", "1")]).await;
    let filler = app
        .create(&format!("Key1={}", "x".repeat(600 * 1024)))
        .await;
    let service = app.create("Key1=1").await;
    assert_full(&app, &service).await;
    TestResponse::send(app.delete(&filler)).await.assert_ok();
    let form = format!("Key1={}", "x".repeat(1_000_000));
    let filler = eventually("the memory of rejected requests is free", async || {
        let response = TestResponse::send(app.post(STORE).form_body(&form)).await;
        (response.status == 200).then(|| response.service_id())
    })
    .await;
    TestResponse::send(app.delete(&filler)).await.assert_ok();
    for write in write_requests(&app, &service) {
        let response = TestResponse::send(write).await;
        assert_eq!(response.status, 200, "{response:?}");
        let written = if response.body.is_empty() {
            format!("{service}/storage")
        } else {
            response.service_id()
        };
        TestResponse::send(app.delete(&written)).await.assert_ok();
    }
}

#[tokio::test]
async fn full_redis_rejects_writes() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(redis.clone()), "t:", &[]).await;
    let service = app.create("Key1=1").await;
    let mut connection = redis.connection().await;
    let mut limit = async |bytes: &str| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET")
            .arg("maxmemory")
            .arg(bytes)
            .arg("maxmemory-policy")
            .arg("noeviction");
        set.query_async::<()>(&mut connection).await.unwrap();
    };
    limit("1").await;
    assert_full(&app, &service).await;
    limit("0").await;
    for write in write_requests(&app, &service) {
        let response = TestResponse::send(write).await;
        assert_eq!(response.status, 200, "{response:?}");
    }
}
