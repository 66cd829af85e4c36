//! The end of a service is the end of its session, whoever ends it and whatever is up.

use std::time::Duration;

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, ors_service, start_app, unreachable_url},
    eventually, on_every_kind_of_store,
    stores::in_ms,
};

on_every_kind_of_store!(
    a_deleted_service_ends_its_session_once,
    a_service_that_ends_by_its_time_ends_its_session,
    a_session_goes_on_while_its_service_does,
    a_backend_that_is_away_is_told_later_and_holds_nothing_else_up,
    what_a_backend_refuses_to_end_is_given_up,
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
    eventually("nothing is left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_deleted_service_ends_its_session_once(app: TestApp) {
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
    let gone = TestResponse::send(app.post(&format!("{service}/x"))).await;
    gone.error_message("ServiceNotFound", 404);
    // The next one's end is behind any second end of this one.
    let next = create(&app, "").await;
    TestResponse::send(app.delete(&next)).await.assert_ok();
    eventually("the next one ends", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
    assert_no_keys_left(&app).await;
}

async fn a_service_that_ends_by_its_time_ends_its_session(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    create(&app, "_ttl=1").await;
    backend.wait_for_request(TERMINATE_REQUEST).await;
    let moved = create(&app, "").await;
    let end = format!("expiration_time={}", in_ms(300));
    TestResponse::send(app.put(&moved).form_body(&end))
        .await
        .assert_empty();
    eventually("it ends too", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
    assert_no_keys_left(&app).await;
}

async fn a_session_goes_on_while_its_service_does(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let lives = create(&app, "_ttl=2").await;
    TestResponse::send(app.put(&lives).form_body("ttl=3600"))
        .await
        .assert_empty();
    let other = create(&app, "_ttl=3").await;
    eventually("the other one ends", async || {
        let told = TestResponse::send(app.get(&other)).await;
        (told.status == 404 && count_terminations(&backend) == 1).then_some(())
    })
    .await;
    let answer = TestResponse::send(app.post(&format!("{lives}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn a_backend_that_is_away_is_told_later_and_holds_nothing_else_up(app: TestApp) {
    let mut away = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let up = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services =
        ors_service(&[&away.url()]) + &ors_service(&[&up.url()]).replace("chat]", "other]");
    let app = start_app(&app, &services, &[]).await;
    let first = create(&app, "a=1").await;
    let other = TestResponse::send(app.post("/genesys/1/service/other"))
        .await
        .service_id();
    away.stop().await;
    TestResponse::send(app.delete(&first)).await.assert_ok();
    TestResponse::send(app.delete(&other)).await.assert_ok();
    up.wait_for_request(TERMINATE_REQUEST).await;
    away.restart().await;
    away.wait_for_request(TERMINATE_REQUEST).await;
    assert_no_keys_left(&app).await;
}

async fn what_a_backend_refuses_to_end_is_given_up(app: TestApp) {
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
    eventually("both were tried", async || {
        (count_terminations(&backend) == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_replica_ends_the_session_of_one_that_stopped() {
    let redis = TestRedis::shared();
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let host = TestApp::start(Some(redis), "unused:", &[]).await;
    let one = start_app(&host, &ors_service(&[&backend.url()]), &[]).await;
    let catalogue = crate::support::CatalogFile::new(&ors_service(&[&backend.url()]));
    let settings = [("catalog.file", catalogue.path())];
    let other = TestApp::start(one.redis.clone(), &one.prefix, &settings).await;
    let service = create(&one, "_ttl=3").await;
    let answer = TestResponse::send(other.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "any replica serves it");
    one.stop().await;
    backend.wait_for_request(TERMINATE_REQUEST).await;
    assert_no_keys_left(&other).await;
}

#[tokio::test]
async fn many_sessions_of_a_backend_that_hangs_keep_no_number_from_coming_back() {
    use crate::support::bookings::{catalog, default_group_toml, number};
    drop(catalog(""));
    let app = TestApp::on_redis().await;
    let hangs = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let services = ors_service(&[&hangs.url()])
        + "[services.request-interaction]\n_type = 'builtin'\n_service = 'request-interaction'\n"
        + &default_group_toml("CLUSTER", 1);
    let app = start_app(&app, &services, &[]).await;
    let mut chats = Vec::new();
    for _ in 0..40 {
        chats.push(create(&app, "").await);
    }
    let call = TestResponse::send(app.post("/genesys/1/service/request-interaction")).await;
    assert_eq!(call.json()["_access_number"], number(0));
    hangs.set_responder(|_| MockResponse::Delayed(Duration::from_secs(3_600), String::new()));
    for chat in &chats {
        TestResponse::send(app.delete(chat)).await.assert_ok();
    }
    hangs.wait_for_request(TERMINATE_REQUEST).await;
    TestResponse::send(app.delete(&call.service_id()))
        .await
        .assert_ok();
    eventually("the number is free", async || {
        let call = TestResponse::send(app.post("/genesys/1/service/request-interaction")).await;
        (call.status == 200).then_some(())
    })
    .await;
    assert!(
        count_terminations(&hangs) <= 40,
        "a session is tried by one at a time"
    );
    drop(unreachable_url().await);
}
