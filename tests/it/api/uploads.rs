//! Failed and aborted uploads leave no data.

use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, disposition, eventually,
    on_every_kind_of_store,
};

const STORE: &str = "/genesys/1/service/store";
static LARGE_FILE: [u8; 600_000] = [7; 600_000];

on_every_kind_of_store!(
    an_aborted_upload_leaves_nothing,
    aborted_uploads_release_their_memory,
    a_request_that_fails_after_a_file_leaves_nothing,
    a_file_replaced_within_its_request_leaves_nothing,
    an_upload_to_an_unknown_service_stores_nothing,
    a_stalled_body_times_out,
    a_slow_body_is_read_completely,
);

fn file(name: &str) -> Multipart {
    Multipart::new()
        .text("Key1", "new")
        .file(name, "f", "image/png", &LARGE_FILE)
}

/// Sends the head of a request with a multipart body of `length` bytes.
async fn send_upload_head(wire: &mut RawConnection, path: &str, length: usize) {
    let kind = Multipart::CONTENT_TYPE;
    wire.send(format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ))
    .await;
}

/// Waits until a chunk is stored, if the store is Redis.
async fn wait_for_chunk(app: &TestApp) {
    eventually("a chunk in Redis", async || {
        let is_stored = app.redis.is_none() || !app.redis_keys("blob:*").await.is_empty();
        is_stored.then_some(())
    })
    .await;
}

async fn wait_for_no_chunk(app: &TestApp) {
    eventually("no chunks in Redis", async || {
        app.redis_keys("blob:*").await.is_empty().then_some(())
    })
    .await;
}

async fn an_aborted_upload_leaves_nothing(app: TestApp) {
    let service = app.create("Key1=1").await;
    let keys = app.redis_keys("*").await;
    for path in [
        STORE,
        &format!("{service}/storage"),
        &format!("{service}/update"),
    ] {
        let body = file("pic").unfinished();
        let mut wire = RawConnection::connect(&app).await;
        send_upload_head(&mut wire, path, body.len() + 100).await;
        wire.send(&body).await;
        wait_for_chunk(&app).await;
        assert_eq!(app.storage(&service).await, json!({"Key1": "1"}));
        drop(wire);
        wait_for_no_chunk(&app).await;
    }
    let description = app.get_service(&service).await;
    assert_eq!(
        (&description["_keys"], &description["_binaries"]),
        (&json!(["Key1"]), &json!([]))
    );
    assert_eq!(app.redis_keys("*").await, keys);
}

async fn aborted_uploads_release_their_memory(app: TestApp) {
    let app = app.start_sibling(&[("memory.limit_mib", "1")]).await;
    let body = file("pic").unfinished();
    let mut wires = Vec::new();
    // The probe can take the memory of a pending upload; then the next one takes it.
    eventually("a full store", async || {
        let mut wire = RawConnection::connect(&app).await;
        send_upload_head(&mut wire, STORE, body.len() + 100).await;
        wire.try_send(&body).await;
        wires.push(wire);
        if app.redis.is_some() {
            return Some(()); // Redis has memory for all
        }
        let answer = TestResponse::send(app.post(STORE).multipart_body(file("pic"))).await;
        if answer.status == 200 {
            TestResponse::send(app.delete(&answer.service_id()))
                .await
                .assert_ok();
            return None;
        }
        answer.error_message("StoreFull", 503);
        Some(())
    })
    .await;
    drop(wires);
    eventually("memory for a file", async || {
        let answer = TestResponse::send(app.post(STORE).multipart_body(file("pic"))).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

async fn a_request_that_fails_after_a_file_leaves_nothing(app: TestApp) {
    let service = app.create("Key1=1").await;
    let keys = app.redis_keys("*").await;
    let klingon = format!(
        "{}\r\nContent-Type: text/plain;charset=klingon",
        disposition("a")
    );
    for (answer, multipart) in [
        ("InvalidBody", file("pic").part(&disposition("a"), b"\xff")),
        ("UnsupportedMediaType", file("pic").part(&klingon, b"1")),
        ("InvalidBody", file("pic").part("X: y", b"1")),
        ("InvalidParameter", file("pic").text(&"k".repeat(257), "1")),
        ("InvalidParameter", file(&"k".repeat(257))),
        ("TooLarge", file("pic").text("a", &"x".repeat(1_048_577))),
    ] {
        let body = multipart.bytes();
        for path in [STORE, &format!("{service}/storage")] {
            let request = app.post(path).typed_body(Multipart::CONTENT_TYPE, &body);
            let response = TestResponse::send(request).await;
            assert_eq!(response.json()["exception"], answer, "{response:?}");
            wait_for_no_chunk(&app).await;
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "1"}));
    assert_eq!(app.redis_keys("*").await, keys);
}

async fn a_file_replaced_within_its_request_leaves_nothing(app: TestApp) {
    let twice =
        file("pic")
            .file("pic", "g", "a/b", &vec![1; 300_000])
            .file("a", "a", "a/b", &LARGE_FILE);
    let twice = twice.text("a", "text").file("_x", "x", "a/b", &LARGE_FILE);
    let service = TestResponse::send(app.post(STORE).multipart_body(twice))
        .await
        .service_id();
    if app.redis.is_some() {
        eventually("one binary in Redis", async || {
            (app.redis_keys("blob:*").await.len() == 1).then_some(())
        })
        .await;
    }
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    assert_eq!(binary.body, vec![1; 300_000]);
    assert_eq!(
        app.storage(&service).await,
        json!({"Key1": "new", "a": "text"})
    );
}

async fn an_upload_to_an_unknown_service_stores_nothing(app: TestApp) {
    let mut wire = RawConnection::connect(&app).await;
    let body = file("pic").unfinished();
    send_upload_head(
        &mut wire,
        "/genesys/1/service/none/storage",
        body.len() + 1_000_000,
    )
    .await;
    wire.try_send(&body).await;
    wire.read_response()
        .await
        .error_message("ServiceNotFound", 404);
    for path in [
        "/genesys/1/service/none/storage",
        "/genesys/1/service/none/update",
        "/genesys/1/service/none",
    ] {
        let answer = TestResponse::send(app.post(path).multipart_body(file("pic"))).await;
        answer.error_message("ServiceNotFound", 404);
    }
    let end = app
        .put("/genesys/1/service/none")
        .multipart_body(file("pic").text("ttl", "60"));
    TestResponse::send(end)
        .await
        .error_message("ServiceNotFound", 404);
    assert_eq!(app.redis_keys("*").await, Vec::<String>::new());
}

async fn a_stalled_body_times_out(app: TestApp) {
    let app = app
        .start_sibling(&[("server.body_idle_timeout_seconds", "1")])
        .await;
    let service = app.create("Key1=1").await;
    let parts = file("pic").unfinished();
    let form = "application/x-www-form-urlencoded";
    let mut wires = Vec::new();
    for (kind, length, body) in [
        (
            Multipart::CONTENT_TYPE,
            "Content-Length: 700000",
            parts.as_slice(),
        ),
        (
            Multipart::CONTENT_TYPE,
            "Content-Length: 700000",
            &parts[..1],
        ),
        (form, "Content-Length: 100", b"Key1=new"),
        (form, "Transfer-Encoding: chunked", b"8\r\nKey1=new\r\n"),
        ("application/json", "Content-Length: 100", b""),
    ] {
        let mut wire = RawConnection::connect(&app).await;
        wire.send(format!(
            "POST {service}/storage HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
        ))
        .await;
        wire.send(body).await;
        wires.push(wire);
    }
    for mut wire in wires {
        let message = wire.read_response().await.error_message("InvalidBody", 400);
        assert!(message.contains("no data arrived for 1 s"), "{message}");
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "1"}));
    wait_for_no_chunk(&app).await;
}

async fn a_slow_body_is_read_completely(app: TestApp) {
    let app = app
        .start_sibling(&[("server.body_idle_timeout_seconds", "3")])
        .await;
    let service = app.create("").await;
    let body = Multipart::new()
        .text("Key1", "one")
        .text("Key2", "two")
        .bytes();
    let mut wire = RawConnection::connect(&app).await;
    send_upload_head(&mut wire, &format!("{service}/storage"), body.len()).await;
    let pause = std::time::Duration::from_millis(700);
    for piece in body.chunks(body.len().div_ceil(5)) {
        tokio::time::sleep(pause).await;
        wire.send(piece).await;
    }
    wire.read_response().await.assert_empty();
    assert_eq!(
        app.storage(&service).await,
        json!({"Key1": "one", "Key2": "two"})
    );
}
