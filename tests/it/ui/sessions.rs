//! Session expiration, and the event stream of an open page.

use std::time::Duration;

use reqwest::{Method, Response};

use super::fixture::{AdminSession, HOME, between};
use crate::{
    api::admin::fixture::ADMIN_SETTINGS,
    support::{TestApp, TestResponse, eventually, on_redis_only, random_prefix},
};

on_redis_only!(
    open_overview_does_not_extend_the_session,
    event_stream_ends_with_the_session,
    session_expires_at_its_maximum_age,
);

const STREAM: &str = "/overview/events";
const SESSION_EXPIRED_EVENT: &str = "event: session-expired\n";

/// An app with shorter sessions than the settings allow.
async fn start_with_timeouts(app: &TestApp, idle: Duration, max_age: Duration) -> TestApp {
    TestApp::start_with(
        app.redis.clone(),
        &random_prefix(),
        &ADMIN_SETTINGS,
        |settings| {
            settings.admin.session_idle_timeout = idle;
            settings.admin.session_max_age = max_age;
        },
    )
    .await
}

const LONG_TTL: Duration = Duration::from_secs(600);
const SHORT_TTL: Duration = Duration::from_secs(3);

async fn open_stream(session: &AdminSession<'_>) -> Response {
    let stream = session.request(Method::GET, STREAM).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-cache, no-store");
    stream
}

/// Reads a stream to its end.
async fn read_to_end(stream: Response) -> String {
    TestResponse::from_response(stream).await.text().to_owned()
}

async fn open_overview_does_not_extend_the_session(app: TestApp) {
    let app = start_with_timeouts(&app, SHORT_TTL, LONG_TTL).await;
    let session = AdminSession::sign_in(&app).await;
    let events = read_to_end(open_stream(&session).await).await;
    assert_eq!(events.matches(SESSION_EXPIRED_EVENT).count(), 1, "{events}");
    let last_event = between(&events, SESSION_EXPIRED_EVENT, "\n\n");
    assert!(
        last_event.contains("Your session has expired"),
        "{last_event}"
    );
    assert!(last_event.contains("href=\"/genesys/1/admin/ui/sign-in?to="));
    assert_eq!(session.get("").await.status, 303, "the session has expired");
    // Repeated stream requests do not extend the session either.
    let session = AdminSession::sign_in(&app).await;
    eventually("the session expires despite stream requests", async || {
        let events = open_stream(&session).await.chunk().await.unwrap().unwrap();
        events
            .starts_with(SESSION_EXPIRED_EVENT.as_bytes())
            .then_some(())
    })
    .await;
}

async fn event_stream_ends_with_the_session(app: TestApp) {
    let app = start_with_timeouts(&app, LONG_TTL, LONG_TTL).await;
    let session = AdminSession::sign_in(&app).await;
    let token = session.page("").await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"").to_owned();
    let mut stream = open_stream(&session).await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: message\n"), "{first:?}");
    let out = session
        .submit_fields("/sign-out", &[("form_token", &token)])
        .await;
    assert_eq!(out.status, 303);
    // The event is sent once, and it is the last one.
    let events = read_to_end(stream).await;
    let (_, last_event) = events.rsplit_once("event: ").unwrap();
    assert!(last_event.starts_with("session-expired\n"), "{events}");
    assert_eq!(events.matches(SESSION_EXPIRED_EVENT).count(), 1, "{events}");
    // A new stream without a session contains only this event.
    let events = read_to_end(open_stream(&session).await).await;
    assert!(events.starts_with(SESSION_EXPIRED_EVENT), "{events}");
    let unauthenticated = TestResponse::send(app.get(&format!("{HOME}{STREAM}"))).await;
    assert_eq!(unauthenticated.text(), events);
    let post = app.post(&format!("{HOME}{STREAM}"));
    assert_eq!(TestResponse::send(post).await.status, 405);
}

async fn session_expires_at_its_maximum_age(app: TestApp) {
    let app = start_with_timeouts(&app, LONG_TTL, SHORT_TTL).await;
    let session = AdminSession::sign_in(&app).await;
    eventually("the session expires while it is used", async || {
        let response = session.get("/audit-log").await;
        (response.status == 303).then_some(())
    })
    .await;
    assert!(
        read_to_end(open_stream(&session).await)
            .await
            .starts_with(SESSION_EXPIRED_EVENT)
    );
}
