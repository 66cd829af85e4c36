//! Backends that fail, each in its way: what the client sees, and what is left.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::support::{
    Answer, Bodies, TestApp,
    backends::{Backend, Way, dead, ors, serving, web},
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
const IMPATIENT: (&str, &str) = ("backend.answer_timeout_ms", "300");

/// Ways to fail, and how each is told.
fn failures() -> Vec<(Way, &'static str, u16, &'static str)> {
    let raw = |text: &str| Way::Raw(text.to_owned());
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>s3cret</html>";
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":";
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (bad, late) = (("BackendUnreachable", 502), ("BackendTimeout", 504));
    [
        (
            Way::Json(503, "{\"s3cret\":1}".to_owned()),
            bad,
            " answered 503",
        ),
        (Way::Json(404, "s3cret".to_owned()), bad, " answered 404"),
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
        (Way::Never, late, " did not answer within 300 ms"),
        (Way::Trickle, late, " did not answer within 300 ms"),
        (
            Way::Much(1 << 20, None),
            bad,
            " is over 65536 bytes (backend.answer_bytes)",
        ),
        (
            Way::Much(1 << 20, Some(1 << 20)),
            bad,
            " is over 65536 bytes (backend.answer_bytes)",
        ),
    ]
    .into_iter()
    .map(|(way, (exception, status), told)| (way, exception, status, told))
    .collect()
}

const SETTINGS: [(&str, &str); 3] = [
    IMPATIENT,
    ("backend.answer_bytes", "65536"),
    // These tests are not about the circuit.
    ("backend.circuit_failures", "1000"),
];

async fn a_backend_that_fails_is_told_in_one_shape_and_the_service_lives_on(app: TestApp) {
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let app = serving(&app, &ors(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let service = Answer::of(create).await.service();
    for (way, exception, status, told) in failures() {
        let answer = way.clone();
        backend.answers(move |_| answer.clone());
        let before = backend.arrived().len();
        let answer = Answer::of(app.post(&format!("{service}/x")).form_body("b=2")).await;
        let message = answer.message_of(exception, status);
        assert!(message.starts_with("ORS request failed: "), "{message}");
        assert!(message.contains(told), "{way:?}: {message}");
        assert!(!message.contains("s3cret"), "{message}");
        assert_eq!(
            backend.arrived().len(),
            before + 1,
            "{way:?} was tried once"
        );
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
    backend.answers(|_| Way::ok("{}"));
    let answer = Answer::of(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn a_create_that_fails_leaves_nothing(app: TestApp) {
    let backend = Backend::of("{}").await;
    let app = serving(&app, &web(&(backend.url() + "/{id}")), &SETTINGS).await;
    for (way, exception, status, told) in failures() {
        let answer = way.clone();
        backend.answers(move |_| answer.clone());
        let create = app.post("/genesys/1/service/web").form_body("a=1");
        let message = Answer::of(create).await.message_of(exception, status);
        assert!(message.starts_with("HTTP request failed: "), "{message}");
        assert!(message.contains(told), "{way:?}: {message}");
        let id = backend.last().path[1..].to_owned();
        let told = Answer::of(app.get(&format!("/genesys/1/service/{id}"))).await;
        told.message_of("ServiceNotFound", 404);
    }
    nothing_is_left(&app).await;
}

async fn nothing_is_left(app: &TestApp) {
    eventually("nothing is left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_backend_that_is_dead_is_told_as_such(app: TestApp) {
    let url = dead().await;
    let services = ors(&[&url]) + &web(&url);
    let app = serving(&app, &services, &[]).await;
    for (name, expected) in [
        ("chat", "ORS request failed: cannot connect to ORS"),
        ("web", "HTTP request failed: cannot connect to the backend"),
    ] {
        let create = app.post(&format!("/genesys/1/service/{name}"));
        let answer = Answer::of(create.form_body("a=1")).await;
        assert_eq!(answer.message_of("BackendUnreachable", 502), expected);
    }
    nothing_is_left(&app).await;
}

async fn a_backend_that_says_nothing_is_given_up_after_its_time(app: TestApp) {
    let backend = Backend::of("{}").await;
    let options = format!("_request = '{}/{{request}}'", backend.url());
    let services = web(&backend.url()) + &options;
    let app = serving(&app, &services, &[("backend.answer_timeout_ms", "1500")]).await;
    let service = Answer::of(app.post("/genesys/1/service/web"))
        .await
        .service();
    let late = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let in_time = late.clone();
    backend.answers(move |_| Way::Late(Duration::from_millis(200), in_time.clone()));
    let answer = Answer::of(app.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "slow, and still in time");
    for way in [Way::Never, Way::Late(Duration::from_secs(3600), late)] {
        backend.answers(move |_| way.clone());
        let started = Instant::now();
        let answer = Answer::of(app.post(&format!("{service}/x"))).await;
        let message = answer.message_of("BackendTimeout", 504);
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
    let limits = [IMPATIENT, ("backend.connect_timeout_ms", "500")];
    let app = serving(&app, &web(&format!("http://{address}/x")), &limits).await;
    let create = || Answer::of(app.post("/genesys/1/service/web").form_body("a=1"));
    create().await.message_of("BackendTimeout", 504);
    // When nobody takes connections, soon none is taken in any more.
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(500);
    while let Ok(stands) = timeout(patience, TcpStream::connect(address)).await {
        waiting.push(stands.unwrap());
    }
    let answer = create().await;
    let message = answer.message_of("BackendUnreachable", 502);
    assert_eq!(
        message,
        "HTTP request failed: cannot connect to the backend"
    );
    nothing_is_left(&app).await;
}

async fn an_answer_that_is_too_long_is_cut_off(app: TestApp) {
    let backend = Backend::of("{}").await;
    let options = format!("_request = '{}/{{request}}'", backend.url());
    let app = serving(&app, &(web(&backend.url()) + &options), &[]).await;
    let service = Answer::of(app.post("/genesys/1/service/web"))
        .await
        .service();
    let gib = 1 << 30;
    for announced in [None, Some(gib)] {
        backend.answers(move |_| Way::Much(gib, announced));
        let before = resident();
        let answer = Answer::of(app.post(&format!("{service}/x"))).await;
        let message = answer.message_of("BackendUnreachable", 502);
        assert!(message.contains("over 4194304 bytes"), "{message}");
        let grown = resident().saturating_sub(before);
        // Other tests take some of it meanwhile.
        assert!(grown < 512 * 1024, "{grown} KiB");
    }
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

async fn a_session_that_cannot_begin_is_ended(app: TestApp) {
    let backend = Backend::ors(|_| Way::Json(500, "{}".to_owned())).await;
    let app = serving(&app, &ors(&[&backend.url()]), &SETTINGS).await;
    let create = app.post("/genesys/1/service/chat").form_body("a=1");
    let message = Answer::of(create)
        .await
        .message_of("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: ORS answered 500");
    backend.awaits("POST /scxml/session/S-1/terminate").await;
    nothing_is_left(&app).await;
    backend.answers(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => Way::ok("\"S-2\""),
        path if path.ends_with("gms.start") => Way::ok("[1]"),
        _ => Way::ok("{}"),
    });
    let message = Answer::of(app.post("/genesys/1/service/chat")).await;
    let message = message.message_of("BackendUnreachable", 502);
    assert!(message.ends_with("which is no JSON object"), "{message}");
    backend.awaits("POST /scxml/session/S-2/terminate").await;
}

async fn what_an_ors_answers_instead_of_a_session_is_told(app: TestApp) {
    let backend = Backend::of("{}").await;
    let app = serving(&app, &ors(&[&backend.url()]), &SETTINGS).await;
    let message = Answer::of(app.post("/genesys/1/service/chat")).await;
    assert_eq!(
        message.message_of("BackendUnreachable", 502),
        "ORS request failed: ORS answered 200 with \"application/json\", which names no session"
    );
    assert_eq!(backend.arrived().len(), 1);
    nothing_is_left(&app).await;
}
