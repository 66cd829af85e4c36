//! Load balancing, circuit breaker and connection limits of backends.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{
    Bodies, TestApp, TestResponse,
    backends::{Backend, MockResponse, ors_service, start_app, unreachable_url},
    eventually, on_redis_only,
};

on_redis_only!(
    circular_starts_sessions_on_each_backend_in_turn,
    linear_uses_the_first_reachable_backend,
    a_session_stays_with_its_backend,
    attempts_are_limited,
    a_request_that_was_sent_is_not_retried_on_another_backend,
    circuit_breaker_opens_and_closes_again,
    requests_wait_for_a_free_connection_of_the_backend,
);

async fn create(app: &TestApp) -> TestResponse {
    TestResponse::send(app.post("/genesys/1/service/chat").form_body("a=1")).await
}

fn count_session_starts(backend: &Backend) -> usize {
    let lines = backend.request_lines();
    let starts = lines.iter().filter(|line| line.ends_with("/session/start"));
    starts.count()
}

async fn circular_starts_sessions_on_each_backend_in_turn(app: TestApp) {
    let one = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let other = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let urls = [&*one.url(), &*unreachable_url(), &*other.url()];
    let app = start_app(&app, &ors_service(&urls), &[]).await;
    for _ in 0..6 {
        create(&app).await.service_id();
    }
    // The turns of the unreachable backend go to the next one.
    assert_eq!(
        (count_session_starts(&one), count_session_starts(&other)),
        (2, 4)
    );
}

async fn linear_uses_the_first_reachable_backend(app: TestApp) {
    let mut one = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let other = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services = ors_service(&[&one.url(), &other.url()]) + "_ors_lb_strategy = 'linear'\n";
    let app = start_app(&app, &services, &[]).await;
    for _ in 0..3 {
        create(&app).await.service_id();
    }
    assert_eq!(
        (count_session_starts(&one), count_session_starts(&other)),
        (3, 0)
    );
    one.stop().await;
    create(&app).await.service_id();
    assert_eq!(
        (count_session_starts(&one), count_session_starts(&other)),
        (3, 1)
    );
}

async fn a_session_stays_with_its_backend(app: TestApp) {
    let mut one = Backend::new_ors(|_| MockResponse::ok("1")).await;
    let other = Backend::new_ors(|_| MockResponse::ok("2")).await;
    one.set_responder(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => MockResponse::ok("\"S-1\""),
        path if path.ends_with("gms.start") => MockResponse::ok("{}"),
        _ => MockResponse::ok("1"),
    });
    let app = start_app(&app, &ors_service(&[&one.url(), &other.url()]), &[]).await;
    let service = create(&app).await.service_id();
    for _ in 0..4 {
        let response = TestResponse::send(app.post(&format!("{service}/x"))).await;
        assert_eq!(response.text(), "1");
    }
    one.stop().await;
    let response = TestResponse::send(app.post(&format!("{service}/x"))).await;
    let message = response.error_message("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: cannot connect to ORS");
    assert_eq!(other.received_requests().len(), 0);
    one.restart().await;
    let response = TestResponse::send(app.post(&format!("{service}/x"))).await;
    assert_eq!(response.text(), "1");
}

async fn attempts_are_limited(app: TestApp) {
    let third = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let urls = [&*unreachable_url(), &*unreachable_url(), &*third.url()];
    let services = ors_service(&urls) + "_ors_lb_strategy = 'linear'\n";
    let two = start_app(&app, &services, &[("backend.max_attempts", "2")]).await;
    let message = create(&two).await.error_message("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: cannot connect to ORS");
    let three = start_app(&app, &services, &[("backend.max_attempts", "3")]).await;
    create(&three).await.service_id();
}

async fn a_request_that_was_sent_is_not_retried_on_another_backend(app: TestApp) {
    let one = Backend::new(|_| MockResponse::Raw(String::new())).await;
    let other = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services = ors_service(&[&one.url(), &other.url()]) + "_ors_lb_strategy = 'linear'\n";
    let app = start_app(&app, &services, &[]).await;
    create(&app).await.error_message("BackendUnreachable", 502);
    assert_eq!(
        (
            one.received_requests().len(),
            other.received_requests().len()
        ),
        (1, 0)
    );
}

async fn circuit_breaker_opens_and_closes_again(app: TestApp) {
    let backend = Backend::new(|_| MockResponse::Hang).await;
    let app = start_app(
        &app,
        &ors_service(&[&backend.url()]),
        &[
            ("backend.response_timeout_ms", "1000"),
            ("backend.circuit_breaker_failures", "3"),
            ("backend.circuit_breaker_reset_seconds", "3"),
        ],
    )
    .await;
    for _ in 0..3 {
        create(&app).await.error_message("BackendTimeout", 504);
    }
    // The circuit is open: one request per three seconds is allowed.
    let received = backend.received_requests().len();
    let message = create(&app).await.error_message("BackendUnreachable", 502);
    assert_eq!(message, "ORS request failed: cannot connect to ORS");
    assert_eq!(backend.received_requests().len(), received);
    eventually("a request in the open circuit", async || {
        join_all((0..4).map(|_| create(&app))).await;
        (backend.received_requests().len() > received).then_some(())
    })
    .await;
    assert!(
        backend.received_requests().len() - received < 4,
        "the open circuit allowed all requests"
    );
    backend.set_responder(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => MockResponse::ok("\"S-1\""),
        _ => MockResponse::ok("{}"),
    });
    eventually("the circuit is closed", async || {
        let response = create(&app).await;
        (response.status == 200).then_some(())
    })
    .await;
    create(&app).await.service_id();
}

async fn requests_wait_for_a_free_connection_of_the_backend(app: TestApp) {
    let slow = |_: &_| {
        let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        MockResponse::Delayed(Duration::from_millis(50), response)
    };
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let limits = [("backend.connections", "1")];
    let app = start_app(&app, &ors_service(&[&backend.url()]), &limits).await;
    let service = create(&app).await.service_id();
    backend.set_responder(slow);
    let path = format!("{service}/x");
    let send = || TestResponse::send(app.post(&path));
    for response in join_all((0..5).map(|_| send())).await {
        assert_eq!(response.text(), "{}");
    }
    // A request that occupies the only connection blocks the next one.
    backend.set_responder(|_| MockResponse::Hang);
    let limits = [limits[0], ("backend.connect_timeout_ms", "500")];
    let app = start_app(&app, &ors_service(&[&backend.url()]), &limits).await;
    backend.set_responder(|arrived| match arrived.path.as_str() {
        path if path.ends_with("start") => MockResponse::ok("{\"session\":\"S-1\"}"),
        _ => MockResponse::Hang,
    });
    let service = create(&app).await.service_id();
    let blocking_request = tokio::spawn(app.post(&format!("{service}/hold")).send());
    backend
        .wait_for_request("POST /scxml/session/S-1/request/hold")
        .await;
    let response = TestResponse::send(app.post(&format!("{service}/other"))).await;
    response.error_message("BackendUnreachable", 502);
    assert!(
        !backend
            .request_lines()
            .iter()
            .any(|line| line.ends_with("other"))
    );
    blocking_request.abort();
}
