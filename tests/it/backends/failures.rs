//! Backends that fail, each in its way: what the client sees, and what is left.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::support::{
    Bodies, TestApp, TestResponse,
    backends::{Backend, MockResponse, http_service, ors_service, start_app, unreachable_url},
    eventually, on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_backend_that_fails_is_told_in_one_shape_and_the_service_lives_on,
    a_create_that_fails_leaves_nothing,
    a_backend_that_is_dead_is_told_as_such,
    a_backend_that_says_nothing_is_given_up_after_its_time,
    a_backend_that_is_half_open_is_given_up,
    an_answer_that_is_too_long_is_cut_off,
    a_session_that_cannot_begin_is_ended,
    what_an_ors_answers_instead_of_a_session_is_told,
);

/// Short waits for what never comes.
const SHORT_TIMEOUT: (&str, &str) = ("backend.response_timeout_ms", "300");

/// Ways to fail, and how each is told.
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
            " answered 503",
        ),
        (
            MockResponse::Json(404, "s3cret".to_owned()),
            bad,
            " answered 404",
        ),
        (raw(moved), bad, " answered 302; redirects are not followed"),
        (
            raw(html),
            bad,
            " answered 200 with \"text/html\", which is no JSON",
        ),
        (
            raw("rubbish\r\n\r\n"),
            bad,
            " broke off before its answer was complete",
        ),
        (raw(half), bad, " broke off before its answer was complete"),
        (raw(""), bad, " broke off before its answer was complete"),
        (MockResponse::Hang, late, " did not answer within 300 ms"),
        (MockResponse::Trickle, late, " did not answer within 300 ms"),
        (
            MockResponse::Large(1 << 20, None),
            bad,
            " is over 65536 bytes (backend.max_response_bytes)",
        ),
        (
            MockResponse::Large(1 << 20, Some(1 << 20)),
            bad,
            " is over 65536 bytes (backend.max_response_bytes)",
        ),
    ]
    .into_iter()
    .map(|(way, (exception, status), told)| (way, exception, status, told))
    .collect()
}

const SETTINGS: [(&str, &str); 3] = [
    SHORT_TIMEOUT,
    ("backend.max_response_bytes", "65536"),
    // These tests are not about the circuit.
    ("backend.circuit_breaker_failures", "1000"),
];

async fn a_backend_that_fails_is_told_in_one_shape_and_the_service_lives_on(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let service = TestResponse::send(create).await.service_id();
    for (way, exception, status, told) in failure_cases() {
        let answer = way.clone();
        backend.set_responder(move |_| answer.clone());
        let before = backend.received_requests().len();
        let answer = TestResponse::send(app.post(&format!("{service}/x")).form_body("b=2")).await;
        let message = answer.error_message(exception, status);
        assert!(message.starts_with("ORS request failed: "), "{message}");
        assert!(message.contains(told), "{way:?}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
        assert_eq!(
            backend.received_requests().len(),
            before + 1,
            "{way:?} was tried once"
        );
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
    backend.set_responder(|_| MockResponse::ok("{}"));
    let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn a_create_that_fails_leaves_nothing(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let app = start_app(&app, &http_service(&(backend.url() + "/{id}")), &SETTINGS).await;
    for (way, exception, status, told) in failure_cases() {
        let answer = way.clone();
        backend.set_responder(move |_| answer.clone());
        let create = app.post("/genesys/1/service/web").form_body("a=1");
        let message = TestResponse::send(create)
            .await
            .error_message(exception, status);
        assert!(message.starts_with("HTTP request failed: "), "{message}");
        assert!(message.contains(told), "{way:?}: {message}");
        let id = backend.last_request().path[1..].to_owned();
        let told = TestResponse::send(app.get(&format!("/genesys/1/service/{id}"))).await;
        told.error_message("ServiceNotFound", 404);
    }
    assert_no_keys_left(&app).await;
}

async fn assert_no_keys_left(app: &TestApp) {
    eventually("nothing is left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_backend_that_is_dead_is_told_as_such(app: TestApp) {
    let url = unreachable_url().await;
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

async fn a_backend_that_says_nothing_is_given_up_after_its_time(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let options = format!("_request = '{}/{{request}}'", backend.url());
    let services = http_service(&backend.url()) + &options;
    let app = start_app(&app, &services, &[("backend.response_timeout_ms", "1500")]).await;
    let service = TestResponse::send(app.post("/genesys/1/service/web"))
        .await
        .service_id();
    let late = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let in_time = late.clone();
    backend
        .set_responder(move |_| MockResponse::Delayed(Duration::from_millis(200), in_time.clone()));
    let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "slow, and still in time");
    for way in [
        MockResponse::Hang,
        MockResponse::Delayed(Duration::from_secs(3600), late),
    ] {
        backend.set_responder(move |_| way.clone());
        let started = Instant::now();
        let answer = TestResponse::send(app.post(&format!("{service}/x"))).await;
        let message = answer.error_message("BackendTimeout", 504);
        assert!(message.contains("within 1500 ms"), "{message}");
        assert!(message.contains("is not known"), "{message}");
        assert!(started.elapsed() >= Duration::from_millis(1400));
    }
}

/// Connections to it stand, or not even that, and nobody is behind them.
async fn a_backend_that_is_half_open_is_given_up(app: TestApp) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = socket.listen(1).unwrap();
    let address = nobody.local_addr().unwrap();
    let limits = [SHORT_TIMEOUT, ("backend.connect_timeout_ms", "500")];
    let app = start_app(&app, &http_service(&format!("http://{address}/x")), &limits).await;
    let create = || TestResponse::send(app.post("/genesys/1/service/web").form_body("a=1"));
    create().await.error_message("BackendTimeout", 504);
    // When nobody takes connections, soon none is taken in any more.
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(500);
    while let Ok(stands) = timeout(patience, TcpStream::connect(address)).await {
        waiting.push(stands.unwrap());
    }
    let answer = create().await;
    let message = answer.error_message("BackendUnreachable", 502);
    assert_eq!(
        message,
        "HTTP request failed: cannot connect to the backend"
    );
    assert_no_keys_left(&app).await;
}

async fn an_answer_that_is_too_long_is_cut_off(app: TestApp) {
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
        assert!(message.contains("over 4194304 bytes"), "{message}");
        let grown = resident_memory().saturating_sub(before);
        // Other tests take some of it meanwhile.
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

async fn a_session_that_cannot_begin_is_ended(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::Json(500, "{}".to_owned())).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let message = TestResponse::send(create)
        .await
        .error_message("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: ORS answered 500");
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
    assert!(message.ends_with("which is no JSON object"), "{message}");
    backend
        .wait_for_request("POST /scxml/session/S-2/terminate")
        .await;
}

async fn what_an_ors_answers_instead_of_a_session_is_told(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &SETTINGS).await;
    let message = TestResponse::send(app.post("/genesys/1/service/chat")).await;
    assert_eq!(
        message.error_message("BackendUnreachable", 502),
        "ORS request failed: ORS answered 200 with \"application/json\", which names no session"
    );
    assert_eq!(backend.received_requests().len(), 1);
    assert_no_keys_left(&app).await;
}
