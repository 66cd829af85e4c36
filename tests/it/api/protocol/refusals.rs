//! Responses to requests that the HTTP parser refuses.

use std::{fmt::Write, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::support::{
    Bodies, RawConnection, TestApp,
    certificate::{Certificate, CertificateFiles},
};

const BARE: &str =
    "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
const MALFORMED: &[u8] = b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n";

/// The last response of `bytes`, which is an error: its head, its body, and what is before it.
fn last_error(bytes: &[u8]) -> (String, Value, String) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (before, last) = text.rsplit_once("HTTP/1.1 4").unwrap();
    let (head, body) = last.split_once("\r\n\r\n").unwrap();
    let length = format!("\r\ncontent-length: {}\r\n", body.len());
    assert!(head.contains(&length), "{text}");
    let body = serde_json::from_str(body).unwrap();
    (format!("4{head}\r\n"), body, before.to_owned())
}

/// Checks an error and returns its message.
fn message(bytes: &[u8], status: u16, exception: &str, tls: bool) -> String {
    let (head, body, _) = last_error(bytes);
    assert!(head.starts_with(&format!("{status} ")), "{head}");
    for header in [
        "connection: close",
        "content-type: application/json;charset=utf-8",
        "cache-control: no-cache, no-store",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(&format!("\r\n{header}\r\n")), "{head}");
    }
    assert_eq!(head.contains("\r\nstrict-transport-security: "), tls);
    assert_eq!(head.matches("\r\ndate: ").count(), 1, "{head}");
    assert_eq!(body["exception"], exception, "{body}");
    assert_eq!(body["code"], status, "{body}");
    assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
    let phrase = body["phrase"].as_str().unwrap();
    assert!(
        head.starts_with(&format!("{status} {phrase}\r\n")),
        "{head}"
    );
    body["message"].as_str().unwrap().to_owned()
}

/// Everything that is received for `request`, up to the end of the connection.
async fn exchange(app: &TestApp, tls: Option<&Certificate>, request: &[u8]) -> Vec<u8> {
    let Some(certificate) = tls else {
        let mut connection = RawConnection::connect(app).await;
        connection.try_send(request).await;
        return connection.read_to_end().await;
    };
    let stream = certificate.connect(app.address, &["http/1.1"]).await;
    let mut stream = stream.unwrap();
    stream.write_all(request).await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn malformed_requests_get_an_error_with_a_body() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let plain = TestApp::on_memory().await;
    let secure = plain.start_sibling(&files.settings()).await;
    let target = |bytes: &[u8]| {
        [
            b"GET /genesys/1/service/",
            bytes,
            b" HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        .concat()
    };
    let head = |head: &[u8]| [head, b"\r\n\r\n"].concat();
    let long = "a".repeat(70_000);
    for (request, exception, expected) in [
        (target("caf\u{e9}".as_bytes()), "MalformedRequest", "%C3%A9"),
        (
            target("x?a=caf\u{e9}".as_bytes()),
            "MalformedRequest",
            "percent-encoded",
        ),
        (
            target(b"x?a=caf\xe9"),
            "MalformedRequest",
            "percent-encoded",
        ),
        (target(b"x?a=\"b\""), "MalformedRequest", "percent-encoded"),
        (target(b"a<b"), "MalformedRequest", "percent-encoded"),
        (target(b"a>b"), "MalformedRequest", "percent-encoded"),
        (target(b"x?a=<b"), "MalformedRequest", "percent-encoded"),
        (target(b"x?a=>b"), "MalformedRequest", "percent-encoded"),
        (target(b"a`b"), "MalformedRequest", "percent-encoded"),
        (target(b"a\x01b"), "MalformedRequest", "control characters"),
        (target(long.as_bytes()), "MalformedRequest", "65534"),
        (head(b"GET / HTTP/1.1"), "MalformedRequest", "Host"),
        (
            head(b"GET / HTTP/1.1\r\nHost: x\r\nno colon"),
            "MalformedRequest",
            "header names",
        ),
        (
            head(b"GET / HTTP/1.1\r\nHost: x\r\na: \x01"),
            "MalformedRequest",
            "header values",
        ),
        (
            head(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2"),
            "MalformedRequest",
            "Content-Length",
        ),
        (
            head(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip"),
            "MalformedRequest",
            "Transfer-Encoding",
        ),
        (
            head(b"GET / HTTP/2.0\r\nHost: x"),
            "MalformedRequest",
            "HTTP/1.1",
        ),
        (
            head(b"\x16\x03\x01\x02\x00\x01\x00"),
            "MalformedRequest",
            "request line",
        ),
    ] {
        for (app, tls) in [(&plain, None), (&secure, Some(&certificate))] {
            let bytes = exchange(app, tls, &request).await;
            let prefix = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
            let message = message(&bytes, 400, exception, tls.is_some());
            assert!(message.contains(expected), "{prefix}: {message}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_an_error_with_a_body() {
    let app = TestApp::on_memory().await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(140_000));
    let mut fields = "GET / HTTP/1.1\r\nHost: x\r\n".to_owned();
    for field in 0..100 {
        write!(fields, "A{field}: 1\r\n").unwrap();
    }
    fields += "\r\n";
    for request in [head, fields] {
        let bytes = exchange(&app, None, request.as_bytes()).await;
        let message = message(&bytes, 431, "HeadTooLarge", false);
        assert!(message.contains("131072 bytes"), "{message}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_gets_an_error_with_a_body() {
    let app = TestApp::on_memory().await;
    let app = app
        .start_sibling(&[("server.request_header_timeout_seconds", "1")])
        .await;
    let bytes = exchange(&app, None, b"GET / HTTP/1.1\r\nHost: x\r\n").await;
    let message = message(&bytes, 408, "RequestTimeout", false);
    assert!(
        message.contains("server.request_header_timeout_seconds"),
        "{message}"
    );
    // Browsers open connections in advance; one without a request gets no response.
    let bytes = exchange(&app, None, b"").await;
    assert!(!String::from_utf8(bytes).unwrap().contains("exception"));
}

#[tokio::test]
async fn characters_that_old_clients_do_not_encode_are_accepted() {
    let app = TestApp::on_memory().await;
    for raw in ["|", "[", "]", "^", "\\", "[0]|{}", "'", "a;b"] {
        let mut connection = RawConnection::connect(&app).await;
        let create = format!("/genesys/1/service/store?a{raw}=b{raw}");
        let service = connection.request("POST", &create).await.service_id();
        let storage = connection
            .request("GET", &format!("{service}/storage"))
            .await
            .json();
        let expected = serde_json::json!({format!("a{raw}"): format!("b{raw}")});
        assert_eq!(storage, expected, "{raw}");
        let value = connection
            .request("GET", &format!("{service}/storage/a{raw}"))
            .await;
        assert_eq!(value.json(), expected, "{raw}");
    }
}

#[tokio::test]
async fn earlier_responses_of_a_connection_are_complete() {
    let app = TestApp::on_memory().await;
    let service = app.create("").await;
    let storage = format!("{service}/storage");
    // Larger than the socket buffer, with text that equals a response of actix-http.
    let text = format!("{}{BARE}", "x".repeat(900_000));
    let written = app
        .post(&storage)
        .json_body(&serde_json::json!({"k": text}).to_string());
    assert!(written.send().await.unwrap().status().is_success());
    let get = format!("GET {storage}/k HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n");
    for times in 1..=4 {
        let mut request = get.repeat(times).into_bytes();
        request.extend_from_slice(MALFORMED);
        let mut connection = RawConnection::connect_with_small_buffer(&app).await;
        connection.send(request).await;
        for _ in 0..times {
            let response = connection.read_response().await;
            assert_eq!(response.status.as_u16(), 200);
            assert!(response.text() == text, "the value was changed");
        }
        let bytes = connection.read_to_end().await;
        message(&bytes, 400, "MalformedRequest", false);
        assert_eq!(last_error(&bytes).2, "");
    }
}

#[tokio::test]
async fn stored_text_that_equals_the_response_is_unchanged() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let plain = TestApp::on_memory().await;
    let secure = plain.start_sibling(&files.settings()).await;
    for status in [
        "400 Bad Request",
        "431 Request Header Fields Too Large",
        "408 Request Timeout",
    ] {
        let text = BARE.replace("400 Bad Request", status);
        for (app, tls) in [(&plain, None), (&secure, Some(&certificate))] {
            let encoded = text
                .bytes()
                .fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
            let create = format!(
                "POST /genesys/1/service/store?k={encoded} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            );
            let created = exchange(app, tls, create.as_bytes()).await;
            let created = String::from_utf8(created).unwrap();
            let id = created.split("\"_id\":\"").nth(1).unwrap();
            let id = id.split('"').next().unwrap();
            let get = |close: &str| {
                format!(
                    "GET /genesys/1/service/{id}/storage/k HTTP/1.1\r\nHost: x\r\n\
                     Accept: text/plain\r\n{close}\r\n"
                )
            };
            let (persistent, closed) = (get(""), get("Connection: close\r\n"));
            // The connection ends with this text, or with an error after it.
            let bytes = exchange(app, tls, closed.as_bytes()).await;
            assert!(
                bytes.ends_with(text.as_bytes()),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            let bytes = exchange(app, tls, format!("{persistent}{closed}").as_bytes()).await;
            assert!(bytes.ends_with(text.as_bytes()));
            let received = String::from_utf8(bytes).unwrap();
            assert_eq!(received.matches(&text).count(), 2, "{received}");
            let request = [persistent.as_bytes(), MALFORMED].concat();
            let bytes = exchange(app, tls, &request).await;
            message(&bytes, 400, "MalformedRequest", tls.is_some());
            let (_, _, before) = last_error(&bytes);
            assert!(before.ends_with(&text), "{before}");
        }
    }
}

#[tokio::test]
async fn stored_text_that_equals_the_response_is_not_delayed() {
    let app = TestApp::on_memory().await;
    let service = app.create("").await;
    let storage = format!("{service}/storage");
    let written = app
        .post(&storage)
        .json_body(&serde_json::json!({"k": BARE}).to_string());
    assert!(written.send().await.unwrap().status().is_success());
    let mut connection = RawConnection::connect(&app).await;
    for _ in 0..3 {
        let get = format!("GET {storage}/k HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n");
        connection.send(get).await;
        let response = timeout(Duration::from_secs(10), connection.read_response()).await;
        assert_eq!(response.unwrap().text(), BARE);
    }
}
