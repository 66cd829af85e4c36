//! TLS: protocols, HSTS, shutdown and reload of certificates.

use std::time::Duration;

use h2::client::SendRequest;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::support::{
    TestApp, TestResponse,
    certificate::{Certificate, CertificateFiles},
    eventually,
    program::Program,
};

/// Sends a request over HTTP/1.1 and returns the raw response.
async fn request(stream: &mut TlsStream<TcpStream>, method: &str, path: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !matches!(answer.last(), Some(b'}' | b'K')) {
        let number = stream.read_buf(&mut answer).await.unwrap();
        assert_ne!(number, 0, "{answer:?}");
    }
    String::from_utf8(answer).unwrap()
}

/// Sends a request over HTTP/2 and returns the JSON of the response.
async fn request_h2(client: &mut SendRequest<bytes::Bytes>, method: &str, path: &str) -> Value {
    let url = format!("https://localhost{path}");
    let request = http::Request::builder().method(method).uri(url);
    let request = request.body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_tls_listener_serves_both_http_versions_and_no_plain_text() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let mut settings = files.settings().to_vec();
    settings.push(("tls.http2", "true"));
    let app = TestApp::on_memory().await.start_sibling(&settings).await;

    let mut stream = certificate
        .connect(app.address, &["http/1.1"])
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let created = request(&mut stream, "POST", "/genesys/1/service/store?a=1").await;
    assert!(created.starts_with("HTTP/1.1 200 OK\r\n"), "{created}");

    let stream = certificate.connect(app.address, &["h2", "http/1.1"]).await;
    let stream = stream.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let created = request_h2(&mut client, "POST", "/genesys/1/service/store?a=1").await;
    let id = created["_id"].as_str().unwrap();
    let path = format!("/genesys/1/service/{id}/storage");
    let storage = request_h2(&mut client, "GET", &path).await;
    assert_eq!(storage, serde_json::json!({"a": "1"}));
    driver.abort();

    let plain = app.get("/livez").send().await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn http_2_is_disabled_by_default() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let mut settings = files.settings().to_vec();
    settings.push(("server.private_listen", "127.0.0.1:0"));
    let app = TestApp::on_memory().await.start_sibling(&settings).await;
    for address in [app.address, app.private_address.unwrap()] {
        let protocols = ["h2", "http/1.1"];
        let mut stream = certificate.connect(address, &protocols).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        let answer = request(&mut stream, "GET", "/livez").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(certificate.connect(address, &["h2"]).await.is_err());
        // HTTP/2 with prior knowledge is rejected too.
        let mut stream = certificate.connect(address, &[]).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        stream.write_all(preface).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    }
}

#[tokio::test]
async fn hsts_is_sent_over_tls_only() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let plain = TestApp::on_memory().await;
    let app = plain.start_sibling(&files.settings()).await;
    for path in [
        "/livez",
        "/nowhere",
        "/genesys/1/service/store",
        "/genesys/1/service/x/storage",
    ] {
        let mut stream = certificate.connect(app.address, &[]).await.unwrap();
        let answer = request(&mut stream, "GET", path).await;
        assert!(
            answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("\r\nx-content-type-options: nosniff\r\n"),
            "{answer}"
        );
        let answer = TestResponse::send(plain.get(path)).await;
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn an_idle_connection_over_tls_does_not_delay_a_shutdown() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let settings = [
        &files.settings()[..],
        &[("server.shutdown_timeout_seconds", "600")],
    ]
    .concat();
    let app = TestApp::on_memory().await.start_sibling(&settings).await;
    let mut idle = certificate.connect(app.address, &[]).await.unwrap();
    request(&mut idle, "GET", "/livez").await;
    let stopped = tokio::time::timeout(Duration::from_secs(60), app.stop()).await;
    assert!(stopped.is_ok());
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_private_listener_uses_tls_too() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let mut settings = files.settings().to_vec();
    settings.push(("server.private_listen", "127.0.0.1:0"));
    let app = TestApp::on_memory().await.start_sibling(&settings).await;
    let private = app.private_address.unwrap();
    let mut stream = certificate.connect(private, &[]).await.unwrap();
    let answer = request(&mut stream, "GET", "/livez").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_changed_certificate_is_reloaded_and_an_invalid_one_is_not() {
    let (first, second) = (Certificate::generate(), Certificate::generate());
    let files = CertificateFiles::write(&first);
    let mut program = Program::serve(&files.settings());
    let address = program.address().await;
    let mut before = first.connect(address, &[]).await.unwrap();
    request(&mut before, "GET", "/livez").await;
    assert!(second.connect(address, &[]).await.is_err());

    // The key of another certificate, then no certificate.
    for wrong in [&second.pem, "no certificate"] {
        let before_count = program.count_log_events("certificate reload failed");
        files.replace(wrong, &first.key);
        eventually("the error is logged", async || {
            (program.count_log_events("certificate reload failed") > before_count).then_some(())
        })
        .await;
        let mut still = first.connect(address, &[]).await.unwrap();
        request(&mut still, "GET", "/livez").await;
    }

    files.replace(&second.pem, &second.key);
    let mut after = eventually("the new certificate is served", async || {
        second.connect(address, &[]).await.ok()
    })
    .await;
    request(&mut after, "GET", "/livez").await;
    assert!(first.connect(address, &[]).await.is_err());
    // Existing connections continue.
    request(&mut before, "GET", "/livez").await;
}

#[tokio::test]
async fn without_certificate_files_it_is_plain_http() {
    let app = TestApp::on_memory().await;
    assert_eq!(TestResponse::send(app.get("/livez")).await.text(), "OK");
    let certificate = Certificate::generate();
    assert!(certificate.connect(app.address, &[]).await.is_err());
}
