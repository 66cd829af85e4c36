//! Idle and slow clients.

use std::time::Duration;

use tokio::time;

use crate::support::{Bodies, Multipart, RawConnection, TestApp, TestResponse, stores::test_bytes};

/// A deadline that is long enough on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let app = TestApp::on_memory().await;
    let app = app
        .start_sibling(&[("server.keep_alive_seconds", "3")])
        .await;
    let mut wire = RawConnection::connect(&app).await;
    for _ in 0..2 {
        let answer = wire.request("GET", "/livez").await;
        assert_eq!(answer.header("connection"), "");
    }
    let rest = time::timeout(DEADLINE, wire.read_to_end()).await;
    assert_eq!(rest.unwrap(), b"");
}

#[tokio::test]
async fn without_keep_alive_connections_are_closed_after_a_response() {
    let app = TestApp::on_memory().await;
    let app = app
        .start_sibling(&[("server.keep_alive_seconds", "0")])
        .await;
    let mut wire = RawConnection::connect(&app).await;
    assert_eq!(
        wire.request("GET", "/livez").await.header("connection"),
        "close"
    );
    let rest = time::timeout(DEADLINE, wire.read_to_end()).await;
    assert_eq!(rest.unwrap(), b"");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let one_at_a_time = [
        ("server.workers", "1"),
        ("server.connections_per_worker", "1"),
        ("server.keep_alive_seconds", "0"),
        ("server.body_idle_timeout_seconds", "4"),
    ];
    let app = TestApp::on_memory()
        .await
        .start_sibling(&one_at_a_time)
        .await;
    let service = app.create("").await;
    // Larger than the buffers of the operating system.
    let file = Multipart::new().file("big", "big", "image/png", &test_bytes(40_000_000));
    let write = app.post(&format!("{service}/storage"));
    let written = TestResponse::send(write.multipart_body(file)).await;
    written.assert_empty();

    let mut wire = RawConnection::connect_with_small_buffer(&app).await;
    let path = format!("{service}/storage/binary/big");
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    assert_eq!(wire.read_head().await.status, 200);
    let next = TestResponse::send(app.get("/livez"));
    let next = time::timeout(DEADLINE, next).await.unwrap();
    assert_eq!(next.text(), "OK");
    assert!(wire.read_to_end().await.len() < 40_000_000);
}
