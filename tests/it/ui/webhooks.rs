//! *Webhooks*: state, test event, resume, dead letters.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    browser::inspect_page,
    browser_fixture::sign_in,
    fixture::{AdminSession, HOME, redirect_target},
};
use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, get, get_json, import, replace_entry, start_admin_with},
    api::webhooks::fixture::{
        ENDPOINT, LOCAL_RECEIVERS, SECRET, create_webhook, receiver, send_test_event,
        wait_for_deliveries, wait_for_webhook,
    },
    support::{
        TestApp, TestRedis,
        backends::{Backend, MockResponse},
        browser::Browser,
        on_redis_only, random_prefix,
    },
};

on_redis_only!(
    pages_show_no_secrets_and_escape_errors,
    unknown_actions_and_webhooks_are_rejected,
);

/// The page of the webhook, below the console.
const PAGE: &str = "/webhooks/services%2Fshop";

#[tokio::test]
async fn an_operator_tests_resumes_and_sends_again_in_a_browser() {
    let settings = [
        &ADMIN_SETTINGS[..],
        &LOCAL_RECEIVERS,
        &[("webhooks.max_pending", "1")],
    ];
    let redis = TestRedis::shared();
    let app = TestApp::start(Some(redis), &random_prefix(), &settings.concat()).await;
    let browser = Browser::open().await;
    sign_in(&browser, &app).await;
    browser.follow("Webhooks").await;
    browser.wait_for_text("No webhooks yet.").await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    browser.follow("Webhooks").await;
    browser.follow(ENDPOINT).await;
    browser.wait_for_text("No dead letters.").await;
    browser.press("Send test event").await;
    browser.wait_for_text("Test event added.").await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    // The second event makes the first one a dead letter.
    browser.press("Send test event").await;
    browser.wait_for_text("Stopped since").await;
    browser.wait_for_text("response 410").await;
    browser
        .wait_for_text("1 event is not delivered any more.")
        .await;
    inspect_page(&browser, "webhook").await;
    browser.follow("← Webhooks").await;
    browser.wait_for_text("stopped").await;
    inspect_page(&browser, "webhooks").await;
    browser.follow(ENDPOINT).await;
    receiver.set_responder(|_| MockResponse::ok("{}"));
    browser.press("Resume").await;
    browser.wait_for_text("Webhook resumed.").await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    // The first of two buttons sends one dead letter again.
    browser.press("Send again").await;
    browser.wait_for_text("Dead letters are sent again.").await;
    wait_for_deliveries(&app, ENDPOINT, 2).await;
    browser.follow("Audit log").await;
    browser.wait_for_text("resend").await;
    browser.follow(ENDPOINT).await;
    browser.wait_for_text("No dead letters.").await;
}

#[tokio::test]
async fn an_operator_deletes_events_of_a_webhook_that_is_not_configured() {
    let settings = [&ADMIN_SETTINGS[..], &LOCAL_RECEIVERS].concat();
    let app = TestApp::start(Some(TestRedis::shared()), &random_prefix(), &settings).await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    let without_webhook = json!({"_type": "builtin", "_service": "store"});
    replace_entry(&app, "services/shop", &without_webhook).await;
    let browser = Browser::open().await;
    sign_in(&browser, &app).await;
    browser.follow("Webhooks").await;
    browser.wait_for_text("not configured").await;
    inspect_page(&browser, "webhooks-not-configured").await;
    browser.follow(ENDPOINT).await;
    browser.wait_for_text("Not configured.").await;
    let text = browser.text().await;
    assert!(!text.contains("Send"), "{text}");
    browser.expand("Delete events…").await;
    inspect_page(&browser, "webhook-not-configured").await;
    browser.press("Delete events").await;
    browser
        .wait_for_text("The events of the webhook are deleted.")
        .await;
    browser.wait_for_text("No webhooks yet.").await;
}

async fn pages_show_no_secrets_and_escape_errors(app: TestApp) {
    let app = start_admin_with(&app, &LOCAL_RECEIVERS).await;
    let receiver = Backend::new(|_| {
        let location = "https://other.example/<b>?token=s3cr3t";
        MockResponse::Raw(format!(
            "HTTP/1.1 302 X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
    })
    .await;
    create_webhook(&app, &format!("{}/a?b=c", receiver.url()), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_webhook(&app, ENDPOINT, |webhook| webhook["failed"] == 1).await;
    let session = AdminSession::sign_in(&app).await;
    for path in ["/webhooks", PAGE, "/services/shop", "/audit-log"] {
        let page = session.page(path).await;
        assert!(
            !page.contains(SECRET.trim_start_matches("whsec_")),
            "{page}"
        );
        assert!(!page.contains("<b>"), "{page}");
    }
    let list = session.page("/webhooks").await;
    let error = "response 302: redirect to https://other.example/%3Cb%3E not followed";
    for shown in [
        error,
        "<strong class=\"warning\">failing</strong>",
        "/a?b=c",
    ] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    assert!(!list.contains("s3cr3t"), "{list}");
    assert!(session.page(PAGE).await.contains(error));
}

/// More webhooks than the store listed before, and than a page has.
#[tokio::test]
async fn many_webhooks_are_searched_and_sorted() {
    let settings = [&ADMIN_SETTINGS[..], &LOCAL_RECEIVERS].concat();
    let app = TestApp::start(Some(TestRedis::shared()), &random_prefix(), &settings).await;
    let receiver = receiver(410).await;
    let definition = |n| {
        let url = receiver.url();
        format!(
            "[services.shop-{n:04}]\n_type = 'builtin'\n_service = 'store'\n\
             _webhook_url = '{url}/{n}'\n_webhook_secret = '{SECRET}'\n"
        )
    };
    let catalog: String = (0..1_100).map(definition).collect();
    import_into(&app, &catalog).await;
    send_test_event(&app, "services/shop-1050").await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, "services/shop-1050", is_stopped).await;
    send_test_event(&app, "services/shop-1050").await;
    // Its entry has no webhook any more, but there are events.
    let others = (0..1_100).filter(|n| *n != 1_050).map(definition);
    let others = others.collect::<String>()
        + "[services.shop-1050]\n_type = 'builtin'\n_service = 'store'\n";
    import_into(&app, &others).await;
    let session = AdminSession::sign_in(&app).await;
    let row = "services/shop-1050</bdi>";
    for (query, range, has_row) in [
        ("", "1-50 of 1,100", false),
        ("?offset=1050", "1,051-1,100 of 1,100", true),
        ("?q=SHOP-105", "1-10 of 10", true),
        ("?q=/1051", "1-1 of 1", false),
        ("?status=not+configured", "1-1 of 1", true),
        ("?sort=-pending&limit=25", "1-25 of 1,100", true),
        ("?sort=-lag", "1-50 of 1,100", true),
        ("?sort=status", "1-50 of 1,100", true),
        ("?sort=dead_letters", "1-50 of 1,100", false),
    ] {
        let page = session.page(&format!("/webhooks{query}")).await;
        assert!(page.contains(range), "{query}: {page}");
        assert_eq!(page.contains(row), has_row, "{query}: {page}");
    }
    let page = session.page("/webhooks?status=stopped").await;
    assert!(page.contains("No webhooks found."), "{page}");
    assert_eq!(session.get("/webhooks?sort=url").await.status, 400);
    let all = get_json(&app, "webhooks").await;
    assert_eq!(all["webhooks"].as_array().unwrap().len(), 1_100);
    let browser = Browser::open().await;
    sign_in(&browser, &app).await;
    browser
        .goto(&app.url(&format!("{HOME}/webhooks?q=shop")))
        .await;
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        for (width, height) in [(390, 844), (640, 512), (1280, 900)] {
            browser.resize(width, height).await;
            browser
                .inspect(&format!("webhooks, {scheme}, {width}"))
                .await;
        }
    }
}

async fn import_into(app: &TestApp, catalog: &str) {
    let version = get(app, "catalog").await.header("etag").to_owned();
    let imported = import(app, Method::PUT, &version, catalog).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
}

async fn unknown_actions_and_webhooks_are_rejected(app: TestApp) {
    let app = start_admin_with(&app, &LOCAL_RECEIVERS).await;
    let session = AdminSession::sign_in(&app).await;
    assert_eq!(session.get(PAGE).await.status, 404);
    create_webhook(&app, &receiver(200).await.url(), &json!({})).await;
    let response = session.submit_form(PAGE, &[("action", "delete")]).await;
    assert_eq!(response.status, 400, "{}", response.text());
    let forged = session.submit_fields(PAGE, &[("action", "test")]).await;
    assert_eq!(forged.status, 403, "{}", forged.text());
    let form = [("action", "resend"), ("event", "evt_1")];
    let response = session.submit_form(PAGE, &form).await;
    let target = redirect_target(&response);
    assert_eq!(target, format!("{PAGE}?message=not_resent"));
    let page = session.page(target).await;
    assert!(
        page.contains("There is no such dead letter any more."),
        "{page}"
    );
}
