//! Termination of backend sessions when their service ends.

use std::time::Duration;

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, ors_service, start_app},
    eventually, on_every_kind_of_store,
    stores::in_ms,
};

on_every_kind_of_store!(
    deleting_a_service_terminates_its_session_once,
    expiration_of_a_service_terminates_its_session,
    extending_a_service_keeps_its_session,
    termination_is_retried_when_the_backend_is_back,
    refused_terminations_are_not_retried,
);

async fn create(app: &TestApp, form: &str) -> String {
    let request = app.post("/genesys/1/service/chat").form_body(form);
    TestResponse::send(request).await.service_id()
}

const TERMINATE_REQUEST: &str = "POST /scxml/session/S-1/terminate";

fn count_terminations(backend: &Backend) -> usize {
    let lines = backend.request_lines();
    lines
        .iter()
        .filter(|line| *line == TERMINATE_REQUEST)
        .count()
}

async fn assert_no_keys_left(app: &TestApp) {
    eventually("no keys left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn deleting_a_service_terminates_its_session_once(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "a=1").await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    let ended = backend.wait_for_request(TERMINATE_REQUEST).await;
    assert_eq!(
        (ended.body.as_str(), ended.header("content-length")),
        ("", "0")
    );
    assert_eq!(ended.header("x-request-id").len(), 36);
    assert_no_keys_left(&app).await;
    let response = TestResponse::send(app.post(&format!("{service}/x"))).await;
    response.error_message("ServiceNotFound", 404);
    // The termination of the next session comes after any second termination of this one.
    let next = create(&app, "").await;
    TestResponse::send(app.delete(&next)).await.assert_ok();
    eventually("termination of the next session", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
    assert_no_keys_left(&app).await;
}

async fn expiration_of_a_service_terminates_its_session(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    create(&app, "_ttl=1").await;
    backend.wait_for_request(TERMINATE_REQUEST).await;
    let moved = create(&app, "").await;
    let end = format!("expiration_time={}", in_ms(3_000));
    TestResponse::send(app.put(&moved).form_body(&end))
        .await
        .assert_empty();
    eventually("termination of the second session", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
    assert_no_keys_left(&app).await;
}

async fn extending_a_service_keeps_its_session(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let extended = create(&app, "_ttl=4").await;
    TestResponse::send(app.put(&extended).form_body("ttl=3600"))
        .await
        .assert_empty();
    let other = create(&app, "_ttl=5").await;
    eventually("the other service ends", async || {
        let response = TestResponse::send(app.get(&other)).await;
        (response.status == 404 && count_terminations(&backend) == 1).then_some(())
    })
    .await;
    let answer = TestResponse::send(app.post(&format!("{extended}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn termination_is_retried_when_the_backend_is_back(app: TestApp) {
    let mut stopped = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let running = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services =
        ors_service(&[&stopped.url()]) + &ors_service(&[&running.url()]).replace("chat]", "other]");
    let app = start_app(&app, &services, &[]).await;
    let first = create(&app, "a=1").await;
    let other = TestResponse::send(app.post("/genesys/1/service/other"))
        .await
        .service_id();
    stopped.stop().await;
    TestResponse::send(app.delete(&first)).await.assert_ok();
    TestResponse::send(app.delete(&other)).await.assert_ok();
    running.wait_for_request(TERMINATE_REQUEST).await;
    stopped.restart().await;
    stopped.wait_for_request(TERMINATE_REQUEST).await;
    assert_no_keys_left(&app).await;
}

async fn refused_terminations_are_not_retried(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    for status in [404, 403] {
        let service = create(&app, "").await;
        backend.set_responder(move |arrived| match arrived.path.as_str() {
            "/scxml/session/start" => MockResponse::ok(r#"{"session":"S-1"}"#),
            path if path.ends_with("/terminate") => MockResponse::Json(status, "{}".to_owned()),
            _ => MockResponse::ok("{}"),
        });
        TestResponse::send(app.delete(&service)).await.assert_ok();
        assert_no_keys_left(&app).await;
    }
    eventually("both terminations", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_replica_terminates_the_session_of_a_stopped_replica() {
    let redis = TestRedis::shared();
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let host = TestApp::start(Some(redis), "unused:", &[]).await;
    let one = start_app(&host, &ors_service(&[&backend.url()]), &[]).await;
    let catalog_file = crate::support::CatalogFile::new(&ors_service(&[&backend.url()]));
    let settings = [("catalog.file", catalog_file.path())];
    let other = TestApp::start(one.redis.clone(), &one.prefix, &settings).await;
    let service = create(&one, "_ttl=3").await;
    let answer = TestResponse::send(other.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "any replica serves the session");
    one.stop().await;
    backend.wait_for_request(TERMINATE_REQUEST).await;
    assert_no_keys_left(&other).await;
}

#[tokio::test]
async fn a_hanging_backend_does_not_delay_the_release_of_numbers() {
    use crate::support::bookings::{catalog, default_group_toml, number};
    drop(catalog(""));
    let app = TestApp::on_redis().await;
    let hanging = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services = ors_service(&[&hanging.url()])
        + "[services.request-interaction]\n_type = 'builtin'\n_service = 'request-interaction'\n"
        + &default_group_toml("CLUSTER", 1);
    let app = start_app(&app, &services, &[]).await;
    let mut chats = Vec::new();
    for _ in 0..40 {
        chats.push(create(&app, "").await);
    }
    let call = TestResponse::send(app.post("/genesys/1/service/request-interaction")).await;
    assert_eq!(call.json()["_access_number"], number(0));
    hanging.set_responder(|_| MockResponse::Delayed(Duration::from_secs(3_600), String::new()));
    for chat in &chats {
        TestResponse::send(app.delete(chat)).await.assert_ok();
    }
    hanging.wait_for_request(TERMINATE_REQUEST).await;
    TestResponse::send(app.delete(&call.service_id()))
        .await
        .assert_ok();
    eventually("the number is released", async || {
        let call = TestResponse::send(app.post("/genesys/1/service/request-interaction")).await;
        (call.status == 200).then_some(())
    })
    .await;
    assert!(
        count_terminations(&hanging) <= 40,
        "one termination at a time per session"
    );
}
