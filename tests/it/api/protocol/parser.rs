//! Metrics and log events of requests that the HTTP parser refuses.

use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::support::{
    RawConnection, TestApp, eventually, metrics::Metrics, ports::free_port, program::Program,
};

/// A limitation, see `docs/adr/0015-requests-that-the-parser-rejects.md`. Once it fails, such targets can be rejected.
#[tokio::test]
async fn the_parser_still_drops_fragments() {
    let app = TestApp::on_memory().await;
    let service = app.create("a=1&a%23b=2&c=3").await;
    let mut connection = RawConnection::connect(&app).await;
    let request = |key| {
        format!("DELETE {service}/storage/{key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    };
    connection.send(request("a#b").as_bytes()).await;
    let response = String::from_utf8(connection.read_to_end().await).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(app.storage(&service).await, json!({"a#b": "2", "c": "3"}));
    let mut connection = RawConnection::connect(&app).await;
    connection.send(request("a%23b").as_bytes()).await;
    connection.read_to_end().await;
    assert_eq!(app.storage(&service).await, json!({"c": "3"}));
}

#[tokio::test]
async fn malformed_requests_are_counted_and_logged_once_a_minute() {
    let mut program = Program::serve(&[]);
    let address = program.address().await;
    send_malformed_requests(address).await;
    program
        .wait_for_log_event("malformed requests rejected", |_| true)
        .await;
    assert_eq!(program.log_events("malformed requests rejected").len(), 1);
    assert_eq!(program.count_log_events("actix_http"), 0);
    program.signal("INT");
    assert_eq!(
        program.wait().await.log_messages("ERROR"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn malformed_requests_are_counted_without_a_log() {
    // With the log off, the program does not report a port that the system has chosen.
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let listen = address.to_string();
    let program = Program::serve(&[("log.level", "off"), ("server.listen", &listen)]);
    eventually("the program listens", async || {
        TcpStream::connect(address).ok()
    })
    .await;
    send_malformed_requests(address).await;
    assert_eq!(program.log_events("malformed requests rejected").len(), 0);
    program.signal("INT");
    program.wait().await;
}

/// Sends requests of all kinds that the parser refuses, and waits until all are counted.
async fn send_malformed_requests(address: SocketAddr) {
    let mut sent = 0;
    for request in [
        "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n".as_bytes(),
        b"GET /a?b=\"c\" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a?b=<c HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a`b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        for _ in 0..5 {
            let mut connection = RawConnection::connect_to(address).await;
            connection.send(request).await;
            let response = String::from_utf8(connection.read_to_end().await).unwrap();
            assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
            sent += 1;
        }
    }
    let mut connection = RawConnection::connect_to(address).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(140_000));
    connection.try_send(long).await;
    let response = String::from_utf8(connection.read_to_end().await).unwrap();
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");

    eventually("all are counted", async || {
        let metrics = Metrics::scrape(address).await;
        let refused = |status: u16| {
            let exception = if status == 431 {
                "HeadTooLarge"
            } else {
                "MalformedRequest"
            };
            metrics.value(&format!(
                "http_requests_total{{route=\"none\",method=\"other\",status=\"{status}\",exception=\"{exception}\"}}"
            ))
        };
        let is = |value: f64, expected: i32| (value - f64::from(expected)).abs() < 0.5;
        (is(refused(400), sent) && is(refused(431), 1)).then_some(())
    })
    .await;
}
