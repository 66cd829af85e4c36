//! When a visit is over, and what an open page then tells.

use std::time::Duration;

use reqwest::{Method, Response};

use super::desk::{Desk, HOME, between};
use crate::{
    admin::desk::ON,
    support::{Answer, TestApp, eventually, on_every_kind_of_store, random_prefix},
};

on_every_kind_of_store!(
    an_open_overview_keeps_no_visit_from_ending,
    an_open_overview_ends_with_the_visit,
    a_visit_ends_at_its_age_whatever_is_done,
);

const STREAM: &str = "/live-overview";
const OVER: &str = "event: over\n";

/// A service whose visits end sooner than any setting allows.
async fn hasty(app: &TestApp, idle: Duration, visit: Duration) -> TestApp {
    TestApp::start_changed(app.redis.clone(), &random_prefix(), &ON, |settings| {
        settings.admin.idle = idle;
        settings.admin.visit = visit;
    })
    .await
}

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_secs(3);

async fn opened(desk: &Desk<'_>) -> Response {
    let stream = desk.request(Method::GET, STREAM).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-cache, no-store");
    stream
}

/// The rest of a stream.
async fn rest(stream: Response) -> String {
    Answer::read(stream).await.text().to_owned()
}

async fn an_open_overview_keeps_no_visit_from_ending(app: TestApp) {
    let app = hasty(&app, SHORT, LONG).await;
    let desk = Desk::at(&app).await;
    let told = rest(opened(&desk).await).await;
    assert_eq!(told.matches(OVER).count(), 1, "{told}");
    let last = between(&told, OVER, "\n\n");
    assert!(last.contains("You are not signed in any more"), "{last}");
    assert!(last.contains("href=\"/genesys/1/admin/ui/sign-in?to="));
    assert_eq!(desk.get("").await.status, 303, "it did end");
    // Nor does a page that asks again and again.
    let desk = Desk::at(&app).await;
    eventually("the visit ends though it is asked about", async || {
        let told = opened(&desk).await.chunk().await.unwrap().unwrap();
        told.starts_with(OVER.as_bytes()).then_some(())
    })
    .await;
}

async fn an_open_overview_ends_with_the_visit(app: TestApp) {
    let app = hasty(&app, LONG, LONG).await;
    let desk = Desk::at(&app).await;
    let token = desk.page("").await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"").to_owned();
    let mut stream = opened(&desk).await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: message\n"), "{first:?}");
    let out = desk.send_bare("/sign-out", &[("form_token", &token)]).await;
    assert_eq!(out.status, 303);
    // It is told once, and nothing behind it.
    let told = rest(stream).await;
    let (_, last) = told.rsplit_once("event: ").unwrap();
    assert!(last.starts_with("over\n"), "{told}");
    assert_eq!(told.matches(OVER).count(), 1, "{told}");
    // Who asks then is told as much, in the terms of who listens.
    let told = rest(opened(&desk).await).await;
    assert!(told.starts_with(OVER), "{told}");
    let nobody = Answer::of(app.get(&format!("{HOME}{STREAM}"))).await;
    assert_eq!(nobody.text(), told);
    let other = app.post(&format!("{HOME}{STREAM}"));
    assert_eq!(Answer::of(other).await.status, 405);
}

async fn a_visit_ends_at_its_age_whatever_is_done(app: TestApp) {
    let app = hasty(&app, LONG, SHORT).await;
    let desk = Desk::at(&app).await;
    eventually("it ends while it is used", async || {
        let answer = desk.get("/history").await;
        (answer.status == 303).then_some(())
    })
    .await;
    assert!(rest(opened(&desk).await).await.starts_with(OVER));
}
