//! Times on the pages: their zone, and the filter by a time.

use super::{
    browser_fixture::{BrowserFixture, HOME},
    fixture::AdminSession,
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, request_interaction_options,
        start_admin,
    },
    support::TestApp,
};

#[tokio::test]
async fn the_filter_by_expiry_has_the_time_zone_of_the_column() {
    let fixture = BrowserFixture::on_memory().await;
    fixture.app.create("_ttl=3600").await;
    let browser = fixture.open_signed_in().await;
    browser.set_time_zone("Asia/Dubai").await;
    let list = fixture.app.url(&format!("{HOME}/active-services"));
    browser.goto(&list).await;
    browser.wait_for_text("Expires before (Asia/Dubai)").await;
    browser.wait_for_text("GMT+4").await;
    // A time is submitted in UTC, and shown in the zone of the browser.
    browser
        .goto(&format!("{list}?expires_before=2020-03-01T20:00:00"))
        .await;
    browser.wait_for_text("No active services found.").await;
    let shown = "return document.getElementById('expires_before').value";
    assert_eq!(browser.run(shown).await, "2020-03-02T00:00");
    browser
        .run("document.getElementById('expires_before').value = '2120-03-01T00:00'")
        .await;
    browser.press("Search").await;
    browser.wait_for_text("1 found on this page.").await;
    let query = browser.run("return location.search").await;
    let query = query.as_str().unwrap();
    assert!(
        query.contains("expires_before=2120-02-29T20%3A00%3A00"),
        "{query}"
    );
    browser.inspect("active services before a time").await;
}

#[tokio::test]
async fn without_a_script_times_are_in_utc() {
    let app = start_admin(&TestApp::on_memory().await).await;
    app.create("a=b").await;
    let page = AdminSession::sign_in(&app)
        .await
        .page("/active-services")
        .await;
    assert!(
        page.contains("Expires before (<span data-zone>UTC</span>)"),
        "{page}"
    );
}

#[tokio::test]
async fn times_in_problems_have_the_time_zone_of_the_browser() {
    let fixture = BrowserFixture::on_memory().await;
    let app = &fixture.app;
    create_entry(
        app,
        "groups/support",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(
        app,
        "services/call",
        &request_interaction_options("support"),
    )
    .await;
    create_service(app, "call").await.service_id();
    create_service(app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let browser = fixture.open_signed_in().await;
    browser.set_time_zone("Asia/Dubai").await;
    browser.goto(&app.url(HOME)).await;
    browser.wait_for_text("has no number to book").await;
    let problem = "return document.querySelector('.problems bdi').textContent";
    let problem = browser.run(problem).await;
    let problem = problem.as_str().unwrap();
    assert!(problem.ends_with(" GMT+4"), "{problem}");
}
