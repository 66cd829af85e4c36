//! Files and outages: a file is stored completely or not at all, independent of the response to the
//! client.

use std::time::Duration;

use serde_json::json;

use super::{Fixture, send_within_limit, unavailable_message};
use crate::support::{
    Bodies, Multipart, RawConnection, TestResponse, eventually, proxy::ProxyMode,
    stores::test_bytes,
};

/// Sends a request that stores the file `map`, except for its last bytes, and waits until Redis has the
/// contents of the file. Returns the connection and the remaining bytes.
async fn upload_all_but_last_bytes(fixture: &Fixture, service: &str) -> (RawConnection, Vec<u8>) {
    let body = Multipart::new().file("map", "map.png", "image/png", &test_bytes(1_000));
    let body = body.text("note", "one").bytes();
    let (first, rest) = body.split_at(body.len() - 10);
    let mut wire = RawConnection::connect(&fixture.app).await;
    let head = format!(
        "POST {service}/storage HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        Multipart::CONTENT_TYPE,
        body.len()
    );
    wire.send(head).await;
    wire.send(first).await;
    let (_, id) = service.rsplit_once('/').unwrap();
    let blob = format!("blob:*{id}*");
    eventually("the bytes are in Redis", async || {
        let blobs = fixture.app.redis_keys(&blob).await;
        (blobs.len() == 1).then_some(())
    })
    .await;
    (wire, rest.to_vec())
}

/// Returns whether the service has the file. It must then be complete; otherwise nothing else may be
/// stored.
async fn is_stored_completely(fixture: &Fixture, service: &str) -> bool {
    let app = &fixture.replica;
    let description = app.get_service(service).await;
    if description["_binaries"] == json!([]) {
        assert_eq!(app.storage(service).await, json!({}));
        return false;
    }
    assert_eq!(app.storage(service).await, json!({"note": "one"}));
    let path = format!("{service}/storage/binary/map");
    let file = app.get(&path).send().await.unwrap();
    let bytes = file.bytes().await.map(|bytes| bytes.to_vec());
    assert!(
        bytes.ok() == Some(test_bytes(1_000)),
        "incomplete: {description}"
    );
    true
}

/// Waits until all pending commands on the multiplexed connection have completed.
async fn wait_until_connection_idle(fixture: &Fixture) {
    for _ in 0..5 {
        fixture.wait_until_ready().await;
    }
}

/// Stores a file through a request whose response is delayed indefinitely. Returns the service and the
/// connection of the client.
async fn store_without_response(fixture: &Fixture) -> (String, RawConnection) {
    let replica = &fixture.replica;
    let service = replica.create("").await;
    // The first write loads the script, which needs a response in between.
    let write = replica.post(&format!("{service}/storage"));
    TestResponse::send(write.form_body("")).await.assert_empty();

    let (mut wire, rest) = upload_all_but_last_bytes(fixture, &service).await;
    fixture.proxy.set_mode(ProxyMode::DropResponses);
    wire.send(rest).await;
    eventually("the file is stored", async || {
        let description = replica.get_service(&service).await;
        (description["_binaries"] != json!([])).then_some(())
    })
    .await;
    (service, wire)
}

#[tokio::test]
async fn file_with_lost_response_is_stored_completely() {
    let fixture = Fixture::with_one_worker().await;
    let (service, mut wire) = store_without_response(&fixture).await;
    fixture.proxy.restore();
    let message = unavailable_message(&wire.read_response().await);
    assert!(!message.contains("no changes were made"), "{message}");
    wait_until_connection_idle(&fixture).await;
    assert!(is_stored_completely(&fixture, &service).await);
}

#[tokio::test]
async fn file_of_disconnected_client_is_stored_completely() {
    let fixture = Fixture::with_one_worker().await;
    let (service, wire) = store_without_response(&fixture).await;
    wire.reset();
    fixture.proxy.restore();
    wait_until_connection_idle(&fixture).await;
    assert!(is_stored_completely(&fixture, &service).await);
}

#[tokio::test]
async fn file_upload_during_outage_is_not_stored() {
    let fixture = Fixture::with_one_worker().await;
    for mode in [ProxyMode::Close, ProxyMode::Stall] {
        let service = fixture.replica.create("").await;
        let (mut wire, rest) = upload_all_but_last_bytes(&fixture, &service).await;
        fixture.proxy.set_mode(mode);
        wire.send(rest).await;
        unavailable_message(&wire.read_response().await);
        fixture.proxy.restore();
        wait_until_connection_idle(&fixture).await;
        assert!(!is_stored_completely(&fixture, &service).await);
    }
}

#[tokio::test]
async fn upload_fails_in_time_during_outage() {
    let fixture = Fixture::start(
        ProxyMode::Forward(Duration::ZERO),
        &[("server.workers", "1"), ("redis.connect_timeout_ms", "300")],
    )
    .await;
    let upload = || {
        let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
        let create = fixture.app.post("/genesys/1/service/store");
        create.multipart_body(body)
    };
    TestResponse::send(upload()).await.service_id();
    fixture.proxy.set_mode(ProxyMode::Stall);
    for _ in 0..3 {
        unavailable_message(&send_within_limit(upload()).await);
    }
    fixture.proxy.set_mode(ProxyMode::Close);
    for _ in 0..3 {
        unavailable_message(&send_within_limit(upload()).await);
    }
    fixture.proxy.restore();
    fixture.wait_until_ready().await;
    TestResponse::send(upload()).await.service_id();
}

#[tokio::test]
async fn interrupted_download_is_detectable() {
    let fixture = Fixture::with_one_worker().await;
    // Larger than all socket buffers.
    let bytes = test_bytes(24 << 20);
    let body = Multipart::new().file("map", "map.png", "image/png", &bytes);
    let create = fixture.replica.post("/genesys/1/service/store");
    let service = TestResponse::send(create.multipart_body(body))
        .await
        .service_id();
    let path = format!("{service}/storage/binary/map");
    for mode in [ProxyMode::Stall, ProxyMode::Close] {
        let mut download = fixture.app.get(&path).send().await.unwrap();
        download.chunk().await.unwrap().unwrap();
        fixture.proxy.set_mode(mode);
        let rest = async {
            while download.chunk().await?.is_some() {}
            Ok::<(), reqwest::Error>(())
        };
        let result = tokio::time::timeout(Duration::from_secs(20), rest).await;
        // The download ends with an error, not as if it were complete.
        assert!(matches!(result, Ok(Err(_))), "{mode:?}: {result:?}");
        fixture.proxy.restore();
        fixture.wait_until_ready().await;
    }
    let retried = TestResponse::send(fixture.replica.get(&path)).await;
    assert!(retried.body == bytes);
}
