//! Replicas on one Redis are one service: what one does holds for all.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, Multipart, TestApp, TestResponse, eventually,
    stores::{in_ms, sleep_until, test_bytes},
};

/// Two replicas.
async fn two_replicas() -> (TestApp, TestApp) {
    let one = TestApp::on_redis().await;
    let other = one.start_replica().await;
    (one, other)
}

/// Stores a file called `name` with these bytes.
async fn store_file(app: &TestApp, service: &str, name: &str, bytes: &[u8]) {
    let body = Multipart::new().file(name, "f.bin", "application/x-test", bytes);
    let request = app.post(&format!("{service}/storage"));
    TestResponse::send(request.multipart_body(body))
        .await
        .assert_empty();
}

#[tokio::test]
async fn what_one_stores_the_other_reads() {
    let (one, other) = two_replicas().await;
    let service = one.create("a=1").await;
    let write = one.post(&format!("{service}/storage"));
    TestResponse::send(write.form_body("b=2"))
        .await
        .assert_empty();
    let bytes = test_bytes(600_000);
    store_file(&one, &service, "map", &bytes).await;

    assert_eq!(other.storage(&service).await, json!({"a": "1", "b": "2"}));
    let read = other.get(&format!("{service}/storage/binary/map"));
    assert!(TestResponse::send(read).await.body == bytes);
    let (told, here) = (
        other.get_service(&service).await,
        one.get_service(&service).await,
    );
    assert_eq!(told["_created"], here["_created"]);
    assert_eq!(told["_expiration_time"], here["_expiration_time"]);
    assert_eq!(told["_binaries"], here["_binaries"]);
}

#[tokio::test]
async fn what_one_removes_is_gone_from_the_other() {
    let (one, other) = two_replicas().await;
    let service = one.create("a=1&b=2&c=3").await;
    let gone = other.delete(&format!("{service}/storage/a"));
    TestResponse::send(gone).await.assert_ok();
    assert_eq!(one.storage(&service).await, json!({"b": "2", "c": "3"}));
    let cleared = one.delete(&format!("{service}/storage"));
    TestResponse::send(cleared).await.assert_ok();
    assert_eq!(other.storage(&service).await, json!({}));

    TestResponse::send(other.delete(&service)).await.assert_ok();
    for app in [&one, &other] {
        let read = TestResponse::send(app.get(&format!("{service}/storage"))).await;
        read.error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn an_end_that_one_sets_holds_for_the_other() {
    let (one, other) = two_replicas().await;
    let service = one.create("a=1&_ttl=60").await;
    let end = in_ms(400);
    let body = json!({"expiration_time": end.to_string()}).to_string();
    let moved = TestResponse::send(one.request(reqwest::Method::PUT, &service).json_body(&body));
    moved.await.assert_empty();
    let told = other.get_service(&service).await;
    assert_eq!(told["_expiration_time"], end.to_string());
    sleep_until(end).await;
    for app in [&other, &one] {
        let read = TestResponse::send(app.get(&format!("{service}/storage/a"))).await;
        read.error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn a_create_repeated_at_the_other_gives_the_same_service() {
    let (one, other) = two_replicas().await;
    let create = |app: &TestApp| {
        let request = app.post("/genesys/1/service/store");
        TestResponse::send(
            request
                .header("Idempotency-Key", "order-4711-of-0001")
                .form_body("a=1"),
        )
    };
    let racing = (0..16).map(|n| create(if n % 2 == 0 { &one } else { &other }));
    let answers = join_all(racing).await;
    let service = answers[0].service_id();
    assert!(answers.iter().all(|answer| answer.service_id() == service));
    assert_eq!(other.storage(&service).await, json!({"a": "1"}));
    assert_eq!(one.redis_keys("svc:*").await.len(), 1);
}

#[tokio::test]
async fn another_prefix_is_another_world() {
    let one = TestApp::on_redis().await;
    let stranger = one.start_sibling(&[]).await;
    let service = one.create("a=1").await;
    let read = TestResponse::send(stranger.get(&format!("{service}/storage"))).await;
    read.error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn no_reader_sees_part_of_a_write() {
    const ROUNDS: usize = 60;
    let (one, other) = two_replicas().await;
    let all = |value: usize| {
        let pairs: Vec<String> = (1..=10).map(|n| format!("k{n}={value}")).collect();
        pairs.join("&")
    };
    let service = one.create(&all(0)).await;
    let path = format!("{service}/storage");
    let write = async |app: &TestApp, first: usize| {
        for round in 0..ROUNDS {
            let request = app.post(&path).form_body(&all(2 * round + first));
            TestResponse::send(request).await.assert_empty();
        }
    };
    let read = async |app: &TestApp| {
        let mut seen = Vec::new();
        for _ in 0..2 * ROUNDS {
            let values = app.storage(&service).await;
            let values = values.as_object().unwrap();
            assert_eq!(values.len(), 10);
            assert!(
                values.values().all(|value| *value == values["k1"]),
                "{values:?}"
            );
            seen.push(values["k1"].clone());
        }
        seen.dedup();
        assert!(seen.len() > 1, "nothing was written while it was read");
    };
    tokio::join!(
        write(&one, 1),
        write(&other, 2),
        write(&one, 3),
        read(&one),
        read(&other)
    );
}

#[tokio::test]
async fn a_name_stays_one_slot_whoever_writes_it() {
    let (one, other) = two_replicas().await;
    let service = one.create("").await;
    let path = format!("{service}/storage");
    for round in 0..30 {
        let text = one.post(&path).form_body(&format!("k=text{round}"));
        let content = format!("file{round}");
        let file = store_file(&other, &service, "k", content.as_bytes());
        let (text, ()) = tokio::join!(TestResponse::send(text), file);
        text.assert_empty();

        let told = one.get_service(&service).await;
        let (keys, binaries) = (told["_keys"].clone(), told["_binaries"].clone());
        let both = (
            keys.as_array().unwrap().len(),
            binaries.as_array().unwrap().len(),
        );
        assert!(both == (1, 0) || both == (0, 1), "{told}");
        let text = TestResponse::send(other.get(&format!("{path}/k"))).await;
        let file = TestResponse::send(other.get(&format!("{path}/binary/k"))).await;
        if both == (1, 0) {
            assert_eq!(text.json(), json!({ "k": format!("text{round}") }));
            file.error_message("KeyNotFound", 404);
        } else {
            assert_eq!(file.text(), content);
            text.error_message("KeyNotFound", 404);
        }
    }
}

#[tokio::test]
async fn a_download_under_way_arrives_whole_when_the_other_replaces_it() {
    let (one, other) = two_replicas().await;
    let service = one.create("").await;
    // More than the sockets in between take up, so that most of it is not yet read.
    let old = test_bytes(24 << 20);
    store_file(&one, &service, "map", &old).await;
    let path = format!("{service}/storage/binary/map");
    let mut download = other.get(&path).send().await.unwrap();
    let mut read = download.chunk().await.unwrap().unwrap().to_vec();
    store_file(&one, &service, "map", b"new").await;
    assert_eq!(TestResponse::send(other.get(&path)).await.text(), "new");
    while let Some(chunk) = download.chunk().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert!(read == old);
}

#[tokio::test]
async fn a_replica_that_stops_takes_nothing_along() {
    let (one, other) = two_replicas().await;
    let service = one.create("a=1").await;
    store_file(&one, &service, "map", b"bytes").await;
    one.stop().await;
    assert_eq!(other.storage(&service).await, json!({"a": "1"}));
    let read = other.get(&format!("{service}/storage/binary/map"));
    assert_eq!(TestResponse::send(read).await.text(), "bytes");
    let again = eventually("the other answers", async || {
        let ready = other.get("/readyz").timeout(Duration::from_secs(1));
        ready.send().await.ok()
    });
    assert_eq!(again.await.status(), 200);
}
