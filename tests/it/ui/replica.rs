//! The page of a replica: an operator sets it, or another replica, OFFLINE and ONLINE.

use std::sync::Arc;

use serde_json::Value;

use super::{
    browser_fixture::{BrowserFixture, HOME, in_a_browser},
    fixture::{AdminSession, between, page_html, redirect_target},
};
use crate::{
    api::admin::{
        fixture::{ADMIN_SETTINGS, audit_actions, get_json, start_admin, start_replica},
        replicas::url_without_pubsub,
    },
    support::{
        RedisKind, TestApp, TestRedis,
        browser::Browser,
        eventually, random_prefix,
        readiness::{readiness, reasons},
    },
};

in_a_browser!(operator_sets_another_replica_offline_with_the_keyboard);

/// The list entry of `replica`, as `app` returns it.
async fn listed(app: &TestApp, replica: &TestApp) -> Value {
    eventually("the replica is listed", async || {
        let all = get_json(app, "replicas").await["replicas"].clone();
        let mut all = all.as_array().unwrap().iter();
        let address = replica.address.to_string();
        all.find(|one| one["address"] == address).cloned()
    })
    .await
}

/// The path of the page of `replica`, below [`HOME`].
pub(super) async fn replica_page(app: &TestApp, replica: &TestApp) -> String {
    let replica = listed(app, replica).await;
    format!("/replicas/{}", replica["id"].as_str().unwrap())
}

/// Waits until the reasons of `/readyz` are `expected`.
async fn wait_for_reasons(app: &TestApp, expected: &[&str]) {
    eventually("the readiness has changed", async || {
        let (_, body) = readiness(app).await;
        (reasons(&body) == expected).then_some(())
    })
    .await;
}

/// Waits until `app` lists `replica` with this status, and no request for it.
async fn wait_for_status(app: &TestApp, replica: &TestApp, status: &str) -> Value {
    eventually("the status is listed", async || {
        let replica = listed(app, replica).await;
        (replica["status"] == status && replica["requested_status"].is_null()).then_some(replica)
    })
    .await
}

/// Submits the form of the page. Returns the message after the redirect.
async fn submit_status(session: &AdminSession<'_>, page: &str, status: &str) -> String {
    let response = session.submit_form(page, &[("status", status)]).await;
    let target = redirect_target(&response).to_owned();
    let overview = session.page(&target).await;
    between(&overview, "class=\"done\" role=\"status\">", "</p>").to_owned()
}

const REQUESTED: &str = "Status requested. The replica applies it within 5 seconds.";

/// Sets `two` OFFLINE and ONLINE on the pages of `one`.
async fn set_other_replica(one: &TestApp, two: &TestApp) {
    let session = AdminSession::sign_in(one).await;
    let page = replica_page(one, two).await;
    assert_eq!(submit_status(&session, &page, "OFFLINE").await, REQUESTED);
    wait_for_reasons(two, &["offline"]).await;
    wait_for_reasons(one, &[]).await;
    let replica = wait_for_status(one, two, "OFFLINE").await;
    assert_eq!(replica["status_by"], "admin");
    let overview = session.page("").await;
    let cell = between(
        &overview,
        "<strong class=\"warning\">OFFLINE</strong>",
        "</td>",
    );
    assert!(cell.contains("set by <bdi>admin</bdi>, <time"), "{cell}");
    let link = between(cell, &format!("{HOME}{page}\""), "</a>");
    assert!(link.ends_with(">Set online…"), "{link}");
    two.create("a=1").await;
    assert_eq!(
        submit_status(&session, &page, "OFFLINE").await,
        "The replica has this status already."
    );
    assert_eq!(submit_status(&session, &page, "online").await, REQUESTED);
    wait_for_reasons(two, &[]).await;
    wait_for_status(one, two, "ONLINE").await;
    let host = replica["host"].as_str().unwrap();
    let action = format!(
        "set_status replica {host}/{}",
        replica["id"].as_str().unwrap()
    );
    assert_eq!(audit_actions(one).await, [action.clone(), action]);
}

#[tokio::test]
async fn operator_sets_another_replica_offline_and_online() {
    for kind in [RedisKind::Single, RedisKind::Sentinel, RedisKind::Cluster] {
        let redis = TestRedis::shared_kind(kind);
        let one = TestApp::start(Some(redis), &random_prefix(), &ADMIN_SETTINGS).await;
        let two = start_replica(&one, &[]).await;
        set_other_replica(&one, &two).await;
    }
}

#[tokio::test]
async fn heartbeats_deliver_the_request_without_notifications() {
    let redis = Arc::new(TestRedis::dedicated());
    let url = url_without_pubsub(&redis).await;
    let settings = [("redis.url", url.as_str())];
    let all = [&ADMIN_SETTINGS[..], &settings].concat();
    let one = TestApp::start(Some(redis), &random_prefix(), &all).await;
    let two = start_replica(&one, &settings).await;
    let session = AdminSession::sign_in(&one).await;
    let page = replica_page(&one, &two).await;
    two.create("a=1").await;
    // The next heartbeat is sent five seconds later.
    eventually("a heartbeat was sent after the request", async || {
        let rate = listed(&one, &two).await["requests_per_second"].as_f64()?;
        (rate > 0.0).then_some(())
    })
    .await;
    // Until then the request is shown. The last request is in effect.
    submit_status(&session, &page, "OFFLINE").await;
    let overview = session.page("").await;
    let cell = between(&overview, "OFFLINE requested by ", "</td>");
    assert!(cell.starts_with("<bdi>admin</bdi>, <time"), "{cell}");
    submit_status(&session, &page, "ONLINE").await;
    submit_status(&session, &page, "OFFLINE").await;
    wait_for_reasons(&two, &["offline"]).await;
    let replica = wait_for_status(&one, &two, "OFFLINE").await;
    let events = audit_actions(&one).await;
    assert_eq!(events.len(), 3, "{replica}: {events:?}");
}

#[tokio::test]
async fn a_change_on_the_replica_itself_follows_an_earlier_request() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let two = start_replica(&one, &[]).await;
    let (first, second) = (
        AdminSession::sign_in(&one).await,
        AdminSession::sign_in(&two).await,
    );
    let page = replica_page(&one, &two).await;
    for _ in 0..5 {
        submit_status(&first, &page, "OFFLINE").await;
        // The replica may have applied the request or not.
        let message = submit_status(&second, &page, "ONLINE").await;
        assert_eq!(message, "Replica set ONLINE.");
        assert_eq!(readiness(&two).await.0, 200);
        wait_for_status(&one, &two, "ONLINE").await;
    }
    // The same request is in effect at once, and is recorded once.
    submit_status(&first, &page, "OFFLINE").await;
    let message = submit_status(&second, &page, "OFFLINE").await;
    assert_eq!(message, "The replica has this status already.");
    assert_eq!(readiness(&two).await.0, 503);
    assert_eq!(audit_actions(&one).await.len(), 11);
}

#[tokio::test]
async fn operator_sets_the_own_replica_at_once() {
    for app in [TestApp::on_memory().await, TestApp::on_redis().await] {
        let app = start_admin(&app).await;
        let session = AdminSession::sign_in(&app).await;
        let page = replica_page(&app, &app).await;
        let html = session.page(&page).await;
        let confirmation = between(&html, "<summary>Set offline…</summary>", "</details>");
        let warning = "No other replica is ONLINE.";
        assert!(confirmation.contains(warning), "{confirmation}");
        let message = submit_status(&session, &page, "OFFLINE").await;
        assert!(message.starts_with("Replica set OFFLINE."), "{message}");
        assert_eq!(readiness(&app).await.0, 503);
        let overview = session.page("").await;
        assert!(overview.contains("All replicas are OFFLINE"), "{overview}");
        assert!(!session.page(&page).await.contains("<summary>Set offline"));
        let message = submit_status(&session, &page, "ONLINE").await;
        assert_eq!(message, "Replica set ONLINE.");
        assert_eq!(readiness(&app).await.0, 200);
        assert!(!session.page("").await.contains("All replicas are OFFLINE"));
        let audit_log = session.page("/audit-log").await;
        let row = between(&audit_log, "<td>set_status</td>", "</tr>");
        assert!(row.contains(&format!("{HOME}{page}\">")), "{row}");
        assert!(row.contains("OFFLINE"), "{row}");
    }
}

#[tokio::test]
async fn the_last_online_replica_is_marked() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let two = start_replica(&one, &[]).await;
    let session = AdminSession::sign_in(&one).await;
    let (own, other) = (
        replica_page(&one, &one).await,
        replica_page(&one, &two).await,
    );
    let warning = "No other replica is ONLINE.";
    assert!(!session.page(&own).await.contains(warning));
    submit_status(&session, &other, "OFFLINE").await;
    // From the request on.
    assert!(session.page(&own).await.contains(warning));
    wait_for_status(&one, &two, "OFFLINE").await;
    assert!(session.page(&own).await.contains(warning));
}

#[tokio::test]
async fn requests_without_token_replica_or_status_change_nothing() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let page = replica_page(&app, &app).await;
    let without_token = session.submit_fields(&page, &[("status", "OFFLINE")]).await;
    assert_eq!(without_token.status, 403);
    for status in ["DOWN", ""] {
        let response = session.submit_form(&page, &[("status", status)]).await;
        assert_eq!(response.status, 400, "{}", response.text());
        assert!(page_html(&response).contains("expected ONLINE or OFFLINE"));
    }
    let missing = session.get("/replicas/none").await;
    assert_eq!(missing.status, 404);
    assert!(page_html(&missing).contains("The replica is not running."));
    let html = session.page(&page).await;
    let token = between(&html, "name=\"form_token\" value=\"", "\"");
    let fields = [("form_token", token), ("status", "OFFLINE")];
    let response = session.submit_fields("/replicas/none", &fields).await;
    assert_eq!(response.status, 404);
    assert_eq!(readiness(&app).await.0, 200);
    assert!(audit_actions(&app).await.is_empty());
}

async fn operator_sets_another_replica_offline_with_the_keyboard(fixture: BrowserFixture) {
    let (one, two) = (&fixture.app, fixture.other());
    let page = replica_page(one, two).await;
    listed(one, one).await;
    let browser = fixture.open_signed_in().await;
    browser.wait_for_text("Live").await;
    browser.inspect("the overview").await;
    let link = format!("a[href=\"{HOME}{page}\"]");
    let focus = format!("document.querySelector('{link}').focus()");
    browser.run(&focus).await;
    // The link keeps the focus when the page is updated.
    let mark = format!("document.querySelector('{link}').dataset.old = 1");
    browser.run(&mark).await;
    two.create("a=1").await;
    let is_kept = format!(
        "const link = document.querySelector('{link}'); \
         return link.dataset.old === undefined && document.activeElement === link"
    );
    eventually("the updated link has the focus", async || {
        (browser.run(&is_kept).await == true).then_some(())
    })
    .await;
    browser.keys(&[Browser::ENTER]).await;
    browser.wait_for_text("Set offline…").await;
    browser.inspect("the page of a replica").await;
    // Nothing happens before the confirmation.
    browser
        .run("document.querySelector('summary').focus()")
        .await;
    browser.keys(&[Browser::ENTER]).await;
    browser.wait_for_text("It still serves all requests").await;
    browser.inspect("the confirmation").await;
    assert_eq!(readiness(two).await.0, 200);
    browser.keys(&[Browser::TAB, Browser::ENTER]).await;
    browser.wait_for_text(REQUESTED).await;
    wait_for_reasons(two, &["offline"]).await;
    browser.wait_for_text("set by admin").await;
    browser
        .inspect("the overview with an offline replica")
        .await;
    browser.follow("Set online…").await;
    browser.press("Set online").await;
    browser.wait_for_text(REQUESTED).await;
    wait_for_reasons(two, &[]).await;
    browser.goto(&one.url(&format!("{HOME}/audit-log"))).await;
    browser.wait_for_text("set_status").await;
}
