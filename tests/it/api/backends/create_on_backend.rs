//! Creates on a backend are atomic: repeated requests, disconnects and crashes.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Bodies, CatalogFile, RawConnection, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, http_service, ors_service, start_app},
    bookings::keys_in,
    eventually, on_every_kind_of_store,
    program::Program,
    random_prefix,
};

on_every_kind_of_store!(
    a_repeated_create_returns_the_first_response_and_starts_nothing,
    a_repeated_create_during_the_first_one_is_rejected,
    a_different_request_with_a_pending_key_is_rejected,
    a_failed_start_can_be_repeated,
    the_session_of_a_disconnected_client_is_terminated,
    invalid_parameters_and_files_are_not_sent_to_the_backend,
);

async fn repeat_create(app: &TestApp, key: &str) -> TestResponse {
    let request = app.post("/genesys/1/service/chat");
    TestResponse::send(
        request
            .header("Idempotency-Key", key)
            .form_body("a=1&_ttl=60"),
    )
    .await
}

async fn a_repeated_create_returns_the_first_response_and_starts_nothing(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok(r#"{"n":1.50}"#)).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let first = repeat_create(&app, "order-4711-of-kkkk").await;
    assert_eq!(first.status, 200, "{}", first.text());
    let sent = backend.received_requests().len();
    assert_eq!(
        repeat_create(&app, "order-4711-of-kkkk").await.text(),
        first.text()
    );
    assert_eq!(backend.received_requests().len(), sent);
    assert!(
        app.get_service(&first.service_id()).await["_ttl"]
            .as_u64()
            .unwrap()
            <= 60
    );
    TestResponse::send(app.delete(&first.service_id()))
        .await
        .assert_ok();
    assert_ne!(
        repeat_create(&app, "order-4711-of-kkkk").await.text(),
        first.text(),
        "the service was deleted"
    );
}

async fn a_repeated_create_during_the_first_one_is_rejected(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::Hang).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let first = app.post("/genesys/1/service/chat");
    let first = first.header("Idempotency-Key", "order-4711-of-kkkk");
    let client = tokio::spawn(first.form_body("a=1&_ttl=60").send());
    backend
        .wait_for_request("POST /scxml/session/S-1/request/gms.start")
        .await;
    let sent = backend.received_requests().len();
    let message = repeat_create(&app, "order-4711-of-kkkk")
        .await
        .error_message("BackendTimeout", 504);
    assert!(message.contains("still in progress"), "{message}");
    assert_eq!(backend.received_requests().len(), sent);
    client.abort();
}

async fn a_different_request_with_a_pending_key_is_rejected(app: TestApp) {
    let key = "order-4711-of-kkkk";
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let late = move || MockResponse::Delayed(Duration::from_secs(3), answer.clone());
    let backend = Backend::new_ors({
        let late = late.clone();
        move |_| late()
    })
    .await;
    let pending = Backend::new(move |_| late()).await;
    let catalog = ors_service(&[&backend.url()])
        + &http_service(&format!("{}/rooms", pending.url()))
        + "[services.store]\n_type = \"builtin\"\n_service = \"store\"\n";
    let app = start_app(&app, &catalog, &[]).await;
    for (name, backend, line) in [
        (
            "chat",
            &backend,
            "POST /scxml/session/S-1/request/gms.start",
        ),
        ("web", &pending, "POST /rooms"),
    ] {
        let key = format!("{key}-{name}");
        let create = |name: &str, form: &str| {
            let request = app.post(&format!("/genesys/1/service/{name}"));
            request.header("Idempotency-Key", &key).form_body(form)
        };
        let first = tokio::spawn(create(name, "a=1&b=2").send());
        backend.wait_for_request(line).await;
        let sent = backend.received_requests().len();
        for other in [
            create(name, "a=2&b=2"),
            create(name, "a=1"),
            create(name, ""),
            create("store", "a=1&b=2"),
        ] {
            let message = TestResponse::send(other)
                .await
                .error_message("IdempotencyKeyReused", 422);
            assert!(!message.contains(&key), "{message}");
        }
        // The same fields in another order are the same request.
        TestResponse::send(create(name, "b=2&a=1"))
            .await
            .error_message("BackendTimeout", 504);
        assert!(!first.is_finished(), "the first request is still pending");
        let first = first.await.unwrap().unwrap().text().await.unwrap();
        let replay = TestResponse::send(create(name, "a=1&b=2")).await;
        assert_eq!(replay.header("idempotent-replayed"), "true");
        assert_eq!(replay.text(), first);
        TestResponse::send(create(name, "a=2&b=2"))
            .await
            .error_message("IdempotencyKeyReused", 422);
        assert_eq!(backend.received_requests().len(), sent);
    }
}

async fn a_failed_start_can_be_repeated(app: TestApp) {
    let backend = Backend::new(|_| MockResponse::Json(500, String::new())).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    repeat_create(&app, "order-4711-of-kkkk")
        .await
        .error_message("BackendUnreachable", 502);
    backend.set_responder(|arrived| match arrived.path.as_str() {
        "/scxml/session/start" => MockResponse::ok("\"S-1\""),
        _ => MockResponse::ok("{}"),
    });
    let service = repeat_create(&app, "order-4711-of-kkkk").await.service_id();
    assert_eq!(app.storage(&service).await, json!({"a": "1"}));
}

async fn the_session_of_a_disconnected_client_is_terminated(app: TestApp) {
    let backend = Backend::new_ors(|arrived| {
        let wait = Duration::from_millis(if arrived.path.ends_with("gms.start") {
            300
        } else {
            0
        });
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        MockResponse::Delayed(wait, answer)
    })
    .await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let mut wire = RawConnection::connect(&app).await;
    wire.send("POST /genesys/1/service/chat?_ttl=2 HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    backend
        .wait_for_request("POST /scxml/session/S-1/request/gms.start")
        .await;
    wire.reset();
    // The create completes without the client, and the service ends like any other.
    backend
        .wait_for_request("POST /scxml/session/S-1/terminate")
        .await;
}

async fn invalid_parameters_and_files_are_not_sent_to_the_backend(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let long = format!("{}=1", "k".repeat(257));
    for form in ["_ttl=0", "_ttl=x", &long] {
        let create = app.post("/genesys/1/service/chat").form_body(form);
        TestResponse::send(create)
            .await
            .error_message("InvalidParameter", 400);
    }
    assert_eq!(backend.received_requests().len(), 0);
}

#[tokio::test]
async fn after_a_crash_during_a_start_the_service_expires_and_its_session_is_terminated() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let backend = Backend::new_ors(|_| MockResponse::Hang).await;
    let catalog_file = CatalogFile::new(&ors_service(&[&backend.url()]));
    let url = redis.url();
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.prefix", prefix.as_str()),
        ("catalog.file", catalog_file.path()),
        ("backend.max_attempts", "1"),
        ("backend.connect_timeout_ms", "500"),
        ("backend.response_timeout_ms", "3000"),
    ];
    let mut program = Program::serve(&settings);
    let mut wire = RawConnection::connect_to(program.address().await).await;
    wire.send("POST /genesys/1/service/chat HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    backend
        .wait_for_request("POST /scxml/session/S-1/request/gms.start")
        .await;
    program.signal("KILL");
    program.wait().await;
    let mut connection = redis.connection().await;
    let pattern = format!("{prefix}svc:*");
    assert_eq!(keys_in(&mut connection, &pattern).await.len(), 1);
    let _other = TestApp::start(Some(redis.clone()), &prefix, &settings[2..]).await;
    eventually("the service ends", async || {
        keys_in(&mut connection, &pattern)
            .await
            .is_empty()
            .then_some(())
    })
    .await;
    backend
        .wait_for_request("POST /scxml/session/S-1/terminate")
        .await;
    eventually("no keys left", async || {
        let left = keys_in(&mut connection, &format!("{prefix}own:*")).await;
        left.is_empty().then_some(())
    })
    .await;
}
