//! Replicas on one Redis form one service: changes at one replica apply to all.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, Multipart, TestApp, TestResponse, eventually,
    stores::{in_ms, sleep_until, test_bytes},
};

/// Starts two replicas.
async fn two_replicas() -> (TestApp, TestApp) {
    let first = TestApp::on_redis().await;
    let second = first.start_replica().await;
    (first, second)
}

/// Stores a file `name` with these bytes.
async fn store_file(app: &TestApp, service: &str, name: &str, bytes: &[u8]) {
    let body = Multipart::new().file(name, "f.bin", "application/x-test", bytes);
    let request = app.post(&format!("{service}/storage"));
    TestResponse::send(request.multipart_body(body))
        .await
        .assert_empty();
}

#[tokio::test]
async fn data_is_visible_to_other_replica() {
    let (first, second) = two_replicas().await;
    let service = first.create("a=1").await;
    let write = first.post(&format!("{service}/storage"));
    TestResponse::send(write.form_body("b=2"))
        .await
        .assert_empty();
    let bytes = test_bytes(600_000);
    store_file(&first, &service, "map", &bytes).await;

    assert_eq!(second.storage(&service).await, json!({"a": "1", "b": "2"}));
    let read = second.get(&format!("{service}/storage/binary/map"));
    assert!(TestResponse::send(read).await.body == bytes);
    let (remote, local) = (
        second.get_service(&service).await,
        first.get_service(&service).await,
    );
    assert_eq!(remote["_created"], local["_created"]);
    assert_eq!(remote["_expiration_time"], local["_expiration_time"]);
    assert_eq!(remote["_binaries"], local["_binaries"]);
}

#[tokio::test]
async fn removal_is_visible_to_other_replica() {
    let (first, second) = two_replicas().await;
    let service = first.create("a=1&b=2&c=3").await;
    let removal = second.delete(&format!("{service}/storage/a"));
    TestResponse::send(removal).await.assert_ok();
    assert_eq!(first.storage(&service).await, json!({"b": "2", "c": "3"}));
    let cleared = first.delete(&format!("{service}/storage"));
    TestResponse::send(cleared).await.assert_ok();
    assert_eq!(second.storage(&service).await, json!({}));

    TestResponse::send(second.delete(&service))
        .await
        .assert_ok();
    for app in [&first, &second] {
        let read = TestResponse::send(app.get(&format!("{service}/storage"))).await;
        read.error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn end_change_applies_to_other_replica() {
    let (first, second) = two_replicas().await;
    let service = first.create("a=1&_ttl=60").await;
    let end = in_ms(3_000);
    let body = json!({"expiration_time": end.to_string()}).to_string();
    let update = TestResponse::send(
        first
            .request(reqwest::Method::PUT, &service)
            .json_body(&body),
    );
    update.await.assert_empty();
    let service_view = second.get_service(&service).await;
    assert_eq!(service_view["_expiration_time"], end.to_string());
    sleep_until(end).await;
    for app in [&second, &first] {
        let read = TestResponse::send(app.get(&format!("{service}/storage/a"))).await;
        read.error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn repeated_create_at_other_replica_returns_same_service() {
    let (first, second) = two_replicas().await;
    let create = |app: &TestApp| {
        let request = app.post("/genesys/1/service/store");
        TestResponse::send(
            request
                .header("Idempotency-Key", "order-4711-of-0001")
                .form_body("a=1"),
        )
    };
    let racing = (0..16).map(|n| create(if n % 2 == 0 { &first } else { &second }));
    let responses = join_all(racing).await;
    let service = responses[0].service_id();
    assert!(
        responses
            .iter()
            .all(|response| response.service_id() == service)
    );
    assert_eq!(second.storage(&service).await, json!({"a": "1"}));
    assert_eq!(first.redis_keys("svc:*").await.len(), 1);
}

#[tokio::test]
async fn prefixes_are_isolated() {
    let first = TestApp::on_redis().await;
    let other_prefix = first.start_sibling(&[]).await;
    let service = first.create("a=1").await;
    let read = TestResponse::send(other_prefix.get(&format!("{service}/storage"))).await;
    read.error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn writes_are_atomic_across_replicas() {
    const ROUNDS: usize = 60;
    let (first, second) = two_replicas().await;
    let all = |value: usize| {
        let pairs: Vec<String> = (1..=10).map(|n| format!("k{n}={value}")).collect();
        pairs.join("&")
    };
    let service = first.create(&all(0)).await;
    let path = format!("{service}/storage");
    let write = async |app: &TestApp, first_value: usize| {
        for round in 0..ROUNDS {
            let request = app.post(&path).form_body(&all(2 * round + first_value));
            TestResponse::send(request).await.assert_empty();
        }
    };
    let read = async |app: &TestApp| {
        let mut observed = Vec::new();
        for _ in 0..2 * ROUNDS {
            let values = app.storage(&service).await;
            let values = values.as_object().unwrap();
            assert_eq!(values.len(), 10);
            assert!(
                values.values().all(|value| *value == values["k1"]),
                "{values:?}"
            );
            observed.push(values["k1"].clone());
        }
        observed.dedup();
        assert!(observed.len() > 1, "no write happened during the reads");
    };
    tokio::join!(
        write(&first, 1),
        write(&second, 2),
        write(&first, 3),
        read(&first),
        read(&second)
    );
}

#[tokio::test]
async fn concurrent_kinds_leave_one_value() {
    let (first, second) = two_replicas().await;
    let service = first.create("").await;
    let path = format!("{service}/storage");
    for round in 0..30 {
        let text = first.post(&path).form_body(&format!("k=text{round}"));
        let content = format!("file{round}");
        let file = store_file(&second, &service, "k", content.as_bytes());
        let (text, ()) = tokio::join!(TestResponse::send(text), file);
        text.assert_empty();

        let service_view = first.get_service(&service).await;
        let (keys, binaries) = (
            service_view["_keys"].clone(),
            service_view["_binaries"].clone(),
        );
        let counts = (
            keys.as_array().unwrap().len(),
            binaries.as_array().unwrap().len(),
        );
        assert!(counts == (1, 0) || counts == (0, 1), "{service_view}");
        let text = TestResponse::send(second.get(&format!("{path}/k"))).await;
        let file = TestResponse::send(second.get(&format!("{path}/binary/k"))).await;
        if counts == (1, 0) {
            assert_eq!(text.json(), json!({ "k": format!("text{round}") }));
            file.error_message("KeyNotFound", 404);
        } else {
            assert_eq!(file.text(), content);
            text.error_message("KeyNotFound", 404);
        }
    }
}

#[tokio::test]
async fn active_download_completes_after_replacement() {
    let (first, second) = two_replicas().await;
    let service = first.create("").await;
    // Larger than all socket buffers, so that most of it is not read yet.
    let old = test_bytes(24 << 20);
    store_file(&first, &service, "map", &old).await;
    let path = format!("{service}/storage/binary/map");
    let mut download = second.get(&path).send().await.unwrap();
    let mut read = download.chunk().await.unwrap().unwrap().to_vec();
    store_file(&first, &service, "map", b"new").await;
    assert_eq!(TestResponse::send(second.get(&path)).await.text(), "new");
    while let Some(chunk) = download.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert!(read == old);
}

#[tokio::test]
async fn stopped_replica_loses_no_data() {
    let (first, second) = two_replicas().await;
    let service = first.create("a=1").await;
    store_file(&first, &service, "map", b"bytes").await;
    first.stop().await;
    assert_eq!(second.storage(&service).await, json!({"a": "1"}));
    let read = second.get(&format!("{service}/storage/binary/map"));
    assert_eq!(TestResponse::send(read).await.text(), "bytes");
    let ready_response = eventually("the other replica responds", async || {
        let ready = second.get("/readyz").timeout(Duration::from_secs(1));
        ready.send().await.ok()
    });
    assert_eq!(ready_response.await.status(), 200);
}
