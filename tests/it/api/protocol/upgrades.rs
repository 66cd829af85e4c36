//! Requests to upgrade the connection, as the HTTP client of Java, `curl --http2` and proxies send them.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::time::timeout;

use crate::support::{RawConnection, TestApp, TestResponse};

const STORE: &str = "/genesys/1/service/store";
/// Well below the idle timeout of bodies.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(15);

/// The first request of the JDK's `HttpClient` on a connection.
const JAVA_HEADERS: &str = "Connection: Upgrade, HTTP2-Settings\r\nContent-Length: 7\r\nHost: x\r\n\
                    HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\
                    User-Agent: Java-http-client/17.0.15\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\nkey=val";

/// A form of seven bytes with additional header lines.
fn form(lines: &str) -> String {
    format!(
        "Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n{lines}\r\nkey=val"
    )
}

/// Sends a create and returns the response.
async fn send(wire: &mut RawConnection, version: &str, rest: &str) -> TestResponse {
    wire.send(format!("POST {STORE} {version}\r\n{rest}")).await;
    timeout(MAX_RESPONSE_TIME, wire.read_response())
        .await
        .unwrap()
}

#[tokio::test]
async fn upgrade_is_ignored_and_closes_the_connection() {
    let app = TestApp::on_memory().await;
    for (version, rest) in [
        ("HTTP/1.1", JAVA_HEADERS.to_owned()),
        ("HTTP/1.1", form("Connection: upgrade\r\n")),
        (
            "HTTP/1.1",
            form("Connection: UPGRADE\r\nUpgrade: TLS/1.0\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: keep-alive\r\nConnection: upgrade\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: Upgrade, close\r\nUpgrade: h2c\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: close, Upgrade\r\nUpgrade: websocket\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ),
        (
            "HTTP/1.1",
            form("Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"),
        ),
        ("HTTP/1.1", form("Upgrade: websocket\r\n")),
        ("HTTP/1.1", form("Upgrade: h2c\r\nUpgrade: websocket\r\n")),
        ("HTTP/1.0", form("Connection: upgrade\r\n")),
        (
            "HTTP/1.0",
            form("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ),
    ] {
        let mut wire = RawConnection::connect(&app).await;
        let response = send(&mut wire, version, &rest).await;
        let service = response.service_id();
        let connection = response.header("connection");
        assert!(!connection.contains("upgrade"), "{rest}: {connection}");
        // HTTP/1.0 closes connections by default.
        assert!(
            connection == "close" || version == "HTTP/1.0",
            "{rest}: {connection}"
        );
        assert_eq!(response.header("upgrade"), "", "{rest}");
        let storage = app.storage(&service).await;
        assert_eq!(storage, serde_json::json!({"key": "val"}), "{rest}");
        assert_eq!(wire.read_to_end().await, b"", "{rest}");
    }
}

#[tokio::test]
async fn ineffective_upgrade_keeps_the_connection_open() {
    let app = TestApp::on_memory().await;
    let mut wire = RawConnection::connect(&app).await;
    for lines in [
        "Upgrade: h2c\r\n",
        "",
        "Connection: keep-alive\r\nUpgrade: h2c\r\n",
    ] {
        let response = send(&mut wire, "HTTP/1.1", &form(lines)).await;
        response.service_id();
        assert_eq!(response.header("connection"), "", "{lines}");
    }
}

#[tokio::test]
async fn upgrade_does_not_change_the_length_of_the_body() {
    let app = TestApp::on_memory().await;
    // Bytes after the body do not belong to the request.
    for (method, lines, expected) in [
        ("POST", "", serde_json::json!({})),
        ("POST", "Content-Length: 0\r\n", serde_json::json!({})),
        ("GET", "", serde_json::json!({})),
        (
            "POST",
            "Content-Type: application/json\r\nContent-Length: 9\r\n",
            serde_json::json!({"a": "b"}),
        ),
    ] {
        let mut wire = RawConnection::connect(&app).await;
        let head = format!(
            "{method} {STORE} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        );
        wire.send(format!("{head}{lines}\r\n{{\"a\":\"b\"}}{{\"c\":\"d\"}}"))
            .await;
        let response = timeout(MAX_RESPONSE_TIME, wire.read_response())
            .await
            .unwrap();
        let storage = app.storage(&response.service_id()).await;
        assert_eq!(storage, expected, "{method} {lines}");
    }
    // Chunked.
    let mut wire = RawConnection::connect(&app).await;
    let chunks = "Host: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nTransfer-Encoding: chunked\r\n\
                  Content-Type: application/x-www-form-urlencoded\r\n\r\n3\r\nkey\r\n4\r\n=val\r\n0\r\n\r\n";
    let response = send(&mut wire, "HTTP/1.1", chunks).await;
    let storage = app.storage(&response.service_id()).await;
    assert_eq!(storage, serde_json::json!({"key": "val"}));
}

#[tokio::test]
async fn incomplete_body_is_rejected_with_an_upgrade() {
    let app = TestApp::on_memory().await;
    let mut wire = RawConnection::connect(&app).await;
    let lines = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 70\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\nkey=val";
    wire.send(format!("POST {STORE} HTTP/1.1\r\n{lines}")).await;
    wire.shutdown_write().await;
    let response = timeout(MAX_RESPONSE_TIME, wire.read_response())
        .await
        .unwrap();
    response.error_message("InvalidBody", 400);
}

/// When this test fails, `src/http/middleware/upgrade.rs` can be removed.
#[tokio::test]
async fn actix_still_handles_upgrades_itself() {
    let read = async |_: web::Bytes| HttpResponse::Ok().finish();
    let server = HttpServer::new(move || App::new().default_service(web::to(read)));
    let server = server.workers(1).bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    let server = server.disable_signals().run();
    let handle = server.handle();
    tokio::spawn(server);
    let mut wire = RawConnection::connect_to(address).await;
    let response = send(&mut wire, "HTTP/1.1", JAVA_HEADERS).await;
    assert_eq!(response.header("connection"), "upgrade");
    handle.stop(false).await;
}
