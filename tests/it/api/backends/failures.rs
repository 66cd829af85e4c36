//! Failures of backends: the response to the client, and the remaining state.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::support::{
    Bodies, TestApp, TestResponse,
    backends::{Backend, MockResponse, http_service, ors_service, start_app, unreachable_url},
    eventually, on_redis_only,
};

on_redis_only!(
    backend_failures_are_reported_and_the_service_remains_active,
    a_failed_create_leaves_no_keys,
    an_unreachable_backend_is_reported,
    a_request_times_out_if_the_backend_does_not_respond,
    a_backend_that_accepts_no_connections_times_out,
    a_response_that_is_too_large_is_aborted,
    a_session_that_fails_to_begin_is_terminated,
    a_start_response_without_session_is_reported,
);

/// A timeout for responses that never arrive; the others arrive in time on a busy machine too.
const SHORT_TIMEOUT: (&str, &str) = ("backend.response_timeout_ms", "2000");

/// Failures, and their exception, status and message.
fn failure_cases() -> Vec<(MockResponse, &'static str, u16, &'static str)> {
    let raw = |text: &str| MockResponse::Raw(text.to_owned());
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>s3cret</html>";
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":";
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (bad, late) = (("BackendUnreachable", 502), ("BackendTimeout", 504));
    [
        (
            MockResponse::Json(503, "{\"s3cret\":1}".to_owned()),
            bad,
            " responded with 503",
        ),
        (
            MockResponse::Json(404, "s3cret".to_owned()),
            bad,
            " responded with 404",
        ),
        (
            raw(moved),
            bad,
            " responded with 302; redirects are not followed",
        ),
        (
            raw(html),
            bad,
            " responded with 200 and \"text/html\", which is not JSON",
        ),
        (
            raw("rubbish\r\n\r\n"),
            bad,
            " closed the connection before its response was complete",
        ),
        (
            raw(half),
            bad,
            " closed the connection before its response was complete",
        ),
        (
            raw(""),
            bad,
            " closed the connection before its response was complete",
        ),
        (MockResponse::Hang, late, " did not respond within 2000 ms"),
        (
            MockResponse::Trickle,
            late,
            " did not respond within 2000 ms",
        ),
        (
            MockResponse::Large(1 << 20, None),
            bad,
            " exceeds 65536 bytes (backend.max_response_bytes)",
        ),
        (
            MockResponse::Large(1 << 20, Some(1 << 20)),
            bad,
            " exceeds 65536 bytes (backend.max_response_bytes)",
        ),
    ]
    .into_iter()
    .map(|(failure, (exception, status), expected)| (failure, exception, status, expected))
    .collect()
}

const SETTINGS: [(&str, &str); 3] = [
    SHORT_TIMEOUT,
    ("backend.max_response_bytes", "65536"),
    // Keeps the circuit breaker closed.
    ("backend.circuit_breaker_failures", "1000"),
];

async fn backend_failures_are_reported_and_the_service_remains_active(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let service = TestResponse::send(create).await.service_id();
    for (failure, exception, status, expected) in failure_cases() {
        let answer = failure.clone();
        backend.set_responder(move |_| answer.clone());
        let before = backend.received_requests().len();
        let answer = TestResponse::send(app.post(&format!("{service}/x")).form_body("b=2")).await;
        let message = answer.error_message(exception, status);
        assert!(message.starts_with("ORS request failed: "), "{message}");
        assert!(message.contains(expected), "{failure:?}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
        assert_eq!(
            backend.received_requests().len(),
            before + 1,
            "{failure:?} was sent once"
        );
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
    backend.set_responder(|_| MockResponse::ok("{}"));
    let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn a_failed_create_leaves_no_keys(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let app = start_app(&app, &http_service(&(backend.url() + "/{id}")), &SETTINGS).await;
    for (failure, exception, status, expected) in failure_cases() {
        let answer = failure.clone();
        backend.set_responder(move |_| answer.clone());
        let create = app.post("/genesys/1/service/web").form_body("a=1");
        let message = TestResponse::send(create)
            .await
            .error_message(exception, status);
        assert!(message.starts_with("HTTP request failed: "), "{message}");
        assert!(message.contains(expected), "{failure:?}: {message}");
        let id = backend.last_request().path[1..].to_owned();
        let expected = TestResponse::send(app.get(&format!("/genesys/1/service/{id}"))).await;
        expected.error_message("ServiceNotFound", 404);
    }
    assert_no_keys_left(&app).await;
}

async fn assert_no_keys_left(app: &TestApp) {
    eventually("no keys left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn an_unreachable_backend_is_reported(app: TestApp) {
    let url = unreachable_url();
    let services = ors_service(&[&url]) + &http_service(&url);
    let app = start_app(&app, &services, &[]).await;
    for (name, expected) in [
        ("chat", "ORS request failed: cannot connect to ORS"),
        ("web", "HTTP request failed: cannot connect to the backend"),
    ] {
        let create = app.post(&format!("/genesys/1/service/{name}"));
        let answer = TestResponse::send(create.form_body("a=1")).await;
        assert_eq!(answer.error_message("BackendUnreachable", 502), expected);
    }
    assert_no_keys_left(&app).await;
}

async fn a_request_times_out_if_the_backend_does_not_respond(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let options = format!("_request = '{}/{{request}}'", backend.url());
    let services = http_service(&backend.url()) + &options;
    let app = start_app(&app, &services, &[("backend.response_timeout_ms", "3000")]).await;
    let service = TestResponse::send(app.post("/genesys/1/service/web"))
        .await
        .service_id();
    let late = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let in_time = late.clone();
    backend
        .set_responder(move |_| MockResponse::Delayed(Duration::from_millis(200), in_time.clone()));
    let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "slow but within the timeout");
    for failure in [
        MockResponse::Hang,
        MockResponse::Delayed(Duration::from_secs(3600), late),
    ] {
        backend.set_responder(move |_| failure.clone());
        let started = Instant::now();
        let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
        let message = answer.error_message("BackendTimeout", 504);
        assert!(message.contains("within 3000 ms"), "{message}");
        assert!(
            message.contains("it is unknown whether the request took effect"),
            "{message}"
        );
        assert!(started.elapsed() >= Duration::from_millis(2900));
    }
}

/// The backend is a listener without an accept loop: connections are established only until its backlog is full.
async fn a_backend_that_accepts_no_connections_times_out(app: TestApp) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = [SHORT_TIMEOUT, ("backend.connect_timeout_ms", "500")];
    let app = start_app(&app, &http_service(&format!("http://{address}/x")), &limits).await;
    let create = || TestResponse::send(app.post("/genesys/1/service/web").form_body("a=1"));
    create().await.error_message("BackendTimeout", 504);
    // Fills the backlog of the listener.
    let mut waiting = Vec::new();
    let pause = Duration::from_millis(500);
    while let Ok(connection) = timeout(pause, TcpStream::connect(address)).await {
        waiting.push(connection.unwrap());
    }
    let answer = create().await;
    let message = answer.error_message("BackendUnreachable", 502);
    assert_eq!(
        message,
        "HTTP request failed: cannot connect to the backend"
    );
    assert_no_keys_left(&app).await;
}

async fn a_response_that_is_too_large_is_aborted(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let options = format!("_request = '{}/{{request}}'", backend.url());
    let app = start_app(&app, &(http_service(&backend.url()) + &options), &[]).await;
    let service = TestResponse::send(app.post("/genesys/1/service/web"))
        .await
        .service_id();
    let gib = 1 << 30;
    for announced in [None, Some(gib)] {
        backend.set_responder(move |_| MockResponse::Large(gib, announced));
        let before = resident_memory();
        let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
        let message = answer.error_message("BackendUnreachable", 502);
        assert!(message.contains("exceeds 4194304 bytes"), "{message}");
        let grown = resident_memory().saturating_sub(before);
        // Other tests of this process allocate memory too.
        assert!(grown < 512 * 1024, "{grown} KiB");
    }
}

/// Resident memory of this process, in KiB.
fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

async fn a_session_that_fails_to_begin_is_terminated(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::Json(500, "{}".to_owned())).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let message = TestResponse::send(create)
        .await
        .error_message("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: ORS responded with 500");
    backend
        .wait_for_request("POST /scxml/session/S-1/terminate")
        .await;
    assert_no_keys_left(&app).await;
    backend.set_responder(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => MockResponse::ok("\"S-2\""),
        path if path.ends_with("gms.start") => MockResponse::ok("[1]"),
        _ => MockResponse::ok("{}"),
    });
    let message = TestResponse::send(app.post("/genesys/1/service/chat")).await;
    let message = message.error_message("BackendUnreachable", 502);
    assert!(message.ends_with("which is not a JSON object"), "{message}");
    backend
        .wait_for_request("POST /scxml/session/S-2/terminate")
        .await;
}

async fn a_start_response_without_session_is_reported(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let message = TestResponse::send(app.post("/genesys/1/service/chat")).await;
    assert_eq!(
        message.error_message("BackendUnreachable", 502),
        "ORS request failed: ORS responded with 200 and \"application/json\", which contains no session name"
    );
    assert_eq!(backend.received_requests().len(), 1);
    assert_no_keys_left(&app).await;
}
