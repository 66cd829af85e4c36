//! The end of a service is the end of its session, whoever ends it and whatever is up.

use std::time::Duration;

use crate::support::{
    Answer, Bodies, TestApp, TestRedis,
    backends::{Backend, Way, dead, ors, serving},
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
    Answer::of(request).await.service()
}

const TERMINATE: &str = "POST /scxml/session/S-1/terminate";

fn ends(backend: &Backend) -> usize {
    let lines = backend.lines();
    lines.iter().filter(|line| *line == TERMINATE).count()
}

async fn nothing_is_left(app: &TestApp) {
    eventually("nothing is left", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_deleted_service_ends_its_session_once(app: TestApp) {
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let app = serving(&app, &ors(&[&backend.url()]), &[]).await;
    let service = create(&app, "a=1").await;
    Answer::of(app.delete(&service)).await.assert_ok();
    let ended = backend.awaits(TERMINATE).await;
    assert_eq!(
        (ended.body.as_str(), ended.header("content-length")),
        ("", "0")
    );
    assert_eq!(ended.header("x-request-id").len(), 36);
    nothing_is_left(&app).await;
    let gone = Answer::of(app.post(&format!("{service}/x"))).await;
    gone.message_of("ServiceNotFound", 404);
    // The next one's end is behind any second end of this one.
    let next = create(&app, "").await;
    Answer::of(app.delete(&next)).await.assert_ok();
    eventually("the next one ends", async || {
        (ends(&backend) == 2).then_some(())
    })
    .await;
    nothing_is_left(&app).await;
}

async fn a_service_that_ends_by_its_time_ends_its_session(app: TestApp) {
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let app = serving(&app, &ors(&[&backend.url()]), &[]).await;
    create(&app, "_ttl=1").await;
    backend.awaits(TERMINATE).await;
    let moved = create(&app, "").await;
    let end = format!("expiration_time={}", in_ms(300));
    Answer::of(app.put(&moved).form_body(&end))
        .await
        .assert_empty();
    eventually("it ends too", async || (ends(&backend) == 2).then_some(())).await;
    nothing_is_left(&app).await;
}

async fn a_session_goes_on_while_its_service_does(app: TestApp) {
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let app = serving(&app, &ors(&[&backend.url()]), &[]).await;
    let lives = create(&app, "_ttl=2").await;
    Answer::of(app.put(&lives).form_body("ttl=3600"))
        .await
        .assert_empty();
    let other = create(&app, "_ttl=3").await;
    eventually("the other one ends", async || {
        let told = Answer::of(app.get(&other)).await;
        (told.status == 404 && ends(&backend) == 1).then_some(())
    })
    .await;
    let answer = Answer::of(app.post(&format!("{lives}/x"))).await;
    assert_eq!(answer.text(), "{}");
}

async fn a_backend_that_is_away_is_told_later_and_holds_nothing_else_up(app: TestApp) {
    let mut away = Backend::ors(|_| Way::ok("{}")).await;
    let up = Backend::ors(|_| Way::ok("{}")).await;
    let services = ors(&[&away.url()]) + &ors(&[&up.url()]).replace("chat]", "other]");
    let app = serving(&app, &services, &[]).await;
    let first = create(&app, "a=1").await;
    let other = Answer::of(app.post("/genesys/1/service/other"))
        .await
        .service();
    away.stop().await;
    Answer::of(app.delete(&first)).await.assert_ok();
    Answer::of(app.delete(&other)).await.assert_ok();
    up.awaits(TERMINATE).await;
    away.restart().await;
    away.awaits(TERMINATE).await;
    nothing_is_left(&app).await;
}

async fn what_a_backend_refuses_to_end_is_given_up(app: TestApp) {
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let app = serving(&app, &ors(&[&backend.url()]), &[]).await;
    for status in [404, 403] {
        let service = create(&app, "").await;
        backend.answers(move |arrived| match arrived.path.as_str() {
            "/scxml/session/start" => Way::ok(r#"{"session":"S-1"}"#),
            path if path.ends_with("/terminate") => Way::Json(status, "{}".to_owned()),
            _ => Way::ok("{}"),
        });
        Answer::of(app.delete(&service)).await.assert_ok();
        nothing_is_left(&app).await;
    }
    eventually("both were tried", async || {
        (ends(&backend) == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_replica_ends_the_session_of_one_that_stopped() {
    let redis = TestRedis::shared();
    let backend = Backend::ors(|_| Way::ok("{}")).await;
    let host = TestApp::start(Some(redis), "unused:", &[]).await;
    let one = serving(&host, &ors(&[&backend.url()]), &[]).await;
    let catalogue = crate::support::Catalogue::of(&ors(&[&backend.url()]));
    let settings = [("catalog.file", catalogue.path())];
    let other = TestApp::start(one.redis.clone(), &one.prefix, &settings).await;
    let service = create(&one, "_ttl=3").await;
    let answer = Answer::of(other.post(&format!("{service}/x"))).await;
    assert_eq!(answer.text(), "{}", "any replica serves it");
    one.stop().await;
    backend.awaits(TERMINATE).await;
    nothing_is_left(&other).await;
}

#[tokio::test]
async fn many_sessions_of_a_backend_that_hangs_keep_no_number_from_coming_back() {
    use crate::support::bookings::{catalogue, default_group, number};
    drop(catalogue(""));
    let app = TestApp::on_redis().await;
    let hangs = Backend::ors(|_| Way::ok("{}")).await;
    let services = ors(&[&hangs.url()])
        + "[services.request-interaction]\n_type = 'builtin'\n_service = 'request-interaction'\n"
        + &default_group("CLUSTER", 1);
    let app = serving(&app, &services, &[]).await;
    let mut chats = Vec::new();
    for _ in 0..40 {
        chats.push(create(&app, "").await);
    }
    let call = Answer::of(app.post("/genesys/1/service/request-interaction")).await;
    assert_eq!(call.json()["_access_number"], number(0));
    hangs.answers(|_| Way::Late(Duration::from_secs(3_600), String::new()));
    for chat in &chats {
        Answer::of(app.delete(chat)).await.assert_ok();
    }
    hangs.awaits(TERMINATE).await;
    Answer::of(app.delete(&call.service())).await.assert_ok();
    eventually("the number is free", async || {
        let call = Answer::of(app.post("/genesys/1/service/request-interaction")).await;
        (call.status == 200).then_some(())
    })
    .await;
    assert!(ends(&hangs) <= 40, "a session is tried by one at a time");
    drop(dead().await);
}
