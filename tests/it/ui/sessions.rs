//! When a visit is over, and what an open page then tells.

use std::time::Duration;

use reqwest::{Method, Response};

use super::fixture::{AdminSession, HOME, between};
use crate::{
    admin::fixture::ADMIN_SETTINGS,
    support::{TestApp, TestResponse, eventually, on_every_kind_of_store, random_prefix},
};

on_every_kind_of_store!(
    an_open_overview_keeps_no_visit_from_ending,
    an_open_overview_ends_with_the_visit,
    a_visit_ends_at_its_age_whatever_is_done,
);

const STREAM: &str = "/overview/events";
const SESSION_EXPIRED_EVENT: &str = "event: over\n";

/// A service whose visits end sooner than any setting allows.
async fn start_with_timeouts(app: &TestApp, idle: Duration, visit: Duration) -> TestApp {
    TestApp::start_with(
        app.redis.clone(),
        &random_prefix(),
        &ADMIN_SETTINGS,
        |settings| {
            settings.admin.session_idle_timeout = idle;
            settings.admin.session_max_age = visit;
        },
    )
    .await
}

const LONG_TTL: Duration = Duration::from_secs(600);
const SHORT_TTL: Duration = Duration::from_secs(3);

async fn open_stream(desk: &AdminSession<'_>) -> Response {
    let stream = desk.request(Method::GET, STREAM).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-cache, no-store");
    stream
}

/// The rest of a stream.
async fn read_to_end(stream: Response) -> String {
    TestResponse::from_response(stream).await.text().to_owned()
}

async fn an_open_overview_keeps_no_visit_from_ending(app: TestApp) {
    let app = start_with_timeouts(&app, SHORT_TTL, LONG_TTL).await;
    let desk = AdminSession::sign_in(&app).await;
    let told = read_to_end(open_stream(&desk).await).await;
    assert_eq!(told.matches(SESSION_EXPIRED_EVENT).count(), 1, "{told}");
    let last = between(&told, SESSION_EXPIRED_EVENT, "\n\n");
    assert!(last.contains("You are not signed in any more"), "{last}");
    assert!(last.contains("href=\"/genesys/1/admin/ui/sign-in?to="));
    assert_eq!(desk.get("").await.status, 303, "it did end");
    // Nor does a page that asks again and again.
    let desk = AdminSession::sign_in(&app).await;
    eventually("the visit ends though it is asked about", async || {
        let told = open_stream(&desk).await.chunk().await.unwrap().unwrap();
        told.starts_with(SESSION_EXPIRED_EVENT.as_bytes())
            .then_some(())
    })
    .await;
}

async fn an_open_overview_ends_with_the_visit(app: TestApp) {
    let app = start_with_timeouts(&app, LONG_TTL, LONG_TTL).await;
    let desk = AdminSession::sign_in(&app).await;
    let token = desk.page("").await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"").to_owned();
    let mut stream = open_stream(&desk).await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: message\n"), "{first:?}");
    let out = desk
        .submit_fields("/sign-out", &[("form_token", &token)])
        .await;
    assert_eq!(out.status, 303);
    // It is told once, and nothing behind it.
    let told = read_to_end(stream).await;
    let (_, last) = told.rsplit_once("event: ").unwrap();
    assert!(last.starts_with("over\n"), "{told}");
    assert_eq!(told.matches(SESSION_EXPIRED_EVENT).count(), 1, "{told}");
    // Who asks then is told as much, in the terms of who listens.
    let told = read_to_end(open_stream(&desk).await).await;
    assert!(told.starts_with(SESSION_EXPIRED_EVENT), "{told}");
    let nobody = TestResponse::send(app.get(&format!("{HOME}{STREAM}"))).await;
    assert_eq!(nobody.text(), told);
    let other = app.post(&format!("{HOME}{STREAM}"));
    assert_eq!(TestResponse::send(other).await.status, 405);
}

async fn a_visit_ends_at_its_age_whatever_is_done(app: TestApp) {
    let app = start_with_timeouts(&app, LONG_TTL, SHORT_TTL).await;
    let desk = AdminSession::sign_in(&app).await;
    eventually("it ends while it is used", async || {
        let answer = desk.get("/audit-log").await;
        (answer.status == 303).then_some(())
    })
    .await;
    assert!(
        read_to_end(open_stream(&desk).await)
            .await
            .starts_with(SESSION_EXPIRED_EVENT)
    );
}
