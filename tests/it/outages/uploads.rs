//! Files and outages: a file is there whole or not at all, whoever was told what.

use std::time::Duration;

use serde_json::json;

use super::{Fixture, send_within_limit, unavailable_message};
use crate::support::{
    Bodies, Multipart, RawConnection, TestResponse, eventually, proxy::ProxyMode,
    stores::test_bytes,
};

/// Sends all of a request that stores a file called `map`, but for its last bytes, and waits until
/// Redis has the file's. Gives the connection and what is still to be sent.
async fn upload_all_but_last_bytes(fixture: &Fixture, service: &str) -> (RawConnection, Vec<u8>) {
    let body = Multipart::new().file("map", "map.png", "image/png", &test_bytes(1_000));
    let body = body.text("note", "one").bytes();
    let (most, rest) = body.split_at(body.len() - 10);
    let mut wire = RawConnection::connect(&fixture.app).await;
    let head = format!(
        "POST {service}/storage HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        Multipart::CONTENT_TYPE,
        body.len()
    );
    wire.send(head).await;
    wire.send(most).await;
    let (_, id) = service.rsplit_once('/').unwrap();
    let blob = format!("blob:*{id}*");
    eventually("the bytes are in Redis", async || {
        let blobs = fixture.app.redis_keys(&blob).await;
        (blobs.len() == 1).then_some(())
    })
    .await;
    (wire, rest.to_vec())
}

/// Whether the service has the file; then it must be whole, and otherwise nothing else be stored.
async fn is_stored_whole(fixture: &Fixture, service: &str) -> bool {
    let app = &fixture.replica;
    let told = app.get_service(service).await;
    if told["_binaries"] == json!([]) {
        assert_eq!(app.storage(service).await, json!({}));
        return false;
    }
    assert_eq!(app.storage(service).await, json!({"note": "one"}));
    let path = format!("{service}/storage/binary/map");
    let file = app.get(&path).send().await.unwrap();
    let bytes = file.bytes().await.map(|bytes| bytes.to_vec());
    assert!(bytes.ok() == Some(test_bytes(1_000)), "in part: {told}");
    true
}

/// Lets everything that waits for the lane of the service go first.
async fn wait_until_connection_idle(fixture: &Fixture) {
    for _ in 0..5 {
        fixture.wait_until_ready().await;
    }
}

/// Has a request stored a file while its answer is on a way that has no end: gives the service, and
/// the connection of who waits for the answer.
async fn store_without_response(fixture: &Fixture) -> (String, RawConnection) {
    let replica = &fixture.replica;
    let service = replica.create("").await;
    // Whoever writes first tells Redis the script, and waits for an answer in between.
    let write = replica.post(&format!("{service}/storage"));
    TestResponse::send(write.form_body("")).await.assert_empty();

    let (mut wire, rest) = upload_all_but_last_bytes(fixture, &service).await;
    fixture.proxy.set_mode(ProxyMode::DropResponses);
    wire.send(rest).await;
    eventually("Redis has it", async || {
        let told = replica.get_service(&service).await;
        (told["_binaries"] != json!([])).then_some(())
    })
    .await;
    (service, wire)
}

#[tokio::test]
async fn a_file_whose_answer_was_lost_is_there_whole() {
    let fixture = Fixture::with_one_worker().await;
    let (service, mut wire) = store_without_response(&fixture).await;
    fixture.proxy.restore();
    let message = unavailable_message(&wire.read_response().await);
    assert!(!message.contains("nothing was changed"), "{message}");
    wait_until_connection_idle(&fixture).await;
    assert!(is_stored_whole(&fixture, &service).await);
}

#[tokio::test]
async fn a_file_whose_sender_breaks_off_before_the_answer_is_there_whole() {
    let fixture = Fixture::with_one_worker().await;
    let (service, wire) = store_without_response(&fixture).await;
    wire.reset();
    fixture.proxy.restore();
    wait_until_connection_idle(&fixture).await;
    assert!(is_stored_whole(&fixture, &service).await);
}

#[tokio::test]
async fn a_file_given_up_for_want_of_redis_is_not_there() {
    let fixture = Fixture::with_one_worker().await;
    for way in [ProxyMode::Close, ProxyMode::Stall] {
        let service = fixture.replica.create("").await;
        let (mut wire, rest) = upload_all_but_last_bytes(&fixture, &service).await;
        fixture.proxy.set_mode(way);
        wire.send(rest).await;
        unavailable_message(&wire.read_response().await);
        fixture.proxy.restore();
        wait_until_connection_idle(&fixture).await;
        assert!(!is_stored_whole(&fixture, &service).await);
    }
}

#[tokio::test]
async fn a_new_upload_is_refused_in_time_while_redis_is_away() {
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
async fn a_download_that_cannot_be_finished_is_not_taken_for_whole() {
    let fixture = Fixture::with_one_worker().await;
    // More than the sockets in between take up.
    let bytes = test_bytes(24 << 20);
    let body = Multipart::new().file("map", "map.png", "image/png", &bytes);
    let create = fixture.replica.post("/genesys/1/service/store");
    let service = TestResponse::send(create.multipart_body(body))
        .await
        .service_id();
    let path = format!("{service}/storage/binary/map");
    for way in [ProxyMode::Stall, ProxyMode::Close] {
        let mut download = fixture.app.get(&path).send().await.unwrap();
        download.chunk().await.unwrap().unwrap();
        fixture.proxy.set_mode(way);
        let rest = async {
            while download.chunk().await?.is_some() {}
            Ok::<(), reqwest::Error>(())
        };
        let ended = tokio::time::timeout(Duration::from_secs(10), rest).await;
        // It ended, and not as if the part were the whole.
        assert!(matches!(ended, Ok(Err(_))), "{way:?}: {ended:?}");
        fixture.proxy.restore();
        fixture.wait_until_ready().await;
    }
    let again = TestResponse::send(fixture.replica.get(&path)).await;
    assert!(again.body == bytes);
}
