//! The pages while Redis is unavailable.

use super::{
    browser_fixture::sign_in,
    fixture::{AdminSession, all_between},
};
use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, create_pool_call_and_vault},
    support::{
        TestApp, TestResponse,
        browser::Browser,
        dedicated_redis::{DURABLE, DedicatedRedis},
        event_stream::first_event,
        eventually, random_prefix,
        readiness::wait_for_reason,
    },
};

/// Pages that need Redis.
const PAGES_OF_REDIS: [&str; 4] = [
    "/active-services",
    "/bookings",
    "/audit-log",
    "/match-explanation",
];

#[tokio::test]
async fn pages_show_cached_data_and_the_outage() {
    let redis = DedicatedRedis::start(&DURABLE).await;
    let url = redis.url();
    let settings = [&ADMIN_SETTINGS[..], &[("redis.url", url.as_str())]].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    create_pool_call_and_vault(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let healthy = session.page("").await;
    assert!(
        !healthy.contains("Redis unavailable") && !healthy.contains("data-stale"),
        "{healthy}"
    );

    redis.kill();
    let overview = eventually("the overview shows the outage", async || {
        let page = session.page("").await;
        page.contains("data-stale").then_some(page)
    })
    .await;
    for part in [
        "Redis unavailable",
        "Last known data",
        "Last updated",
        "This replica",
        "StoreUnavailable",
        "<code>/readyz</code> returns 503: store_unreachable: ",
        &redis.address(),
        &app.address.to_string(),
        "pool",
    ] {
        assert!(overview.contains(part), "{part}: {overview}");
    }
    // The pages and /readyz show the same start of the outage.
    let (status, readyz) = wait_for_reason(&app, "store_unreachable").await;
    assert_eq!(status, 503, "{readyz}");
    let since = readyz["since"].as_str().unwrap();
    let overview = session.page("").await;
    let shown = all_between(&overview, "Redis unavailable", "</time>");
    assert!(shown.len() >= 2, "{overview}");
    for part in shown {
        assert!(
            part.contains(&format!("datetime=\"{since}\"")),
            "{since}: {part}"
        );
    }
    for (path, expected) in [
        ("/services", "vault"),
        ("/services/call", "pool"),
        ("/services/vault", "********"),
        ("/groups", "pool"),
        ("/groups/pool", "8005550001"),
        ("/catalog", "Export"),
        ("/try", "Redis unavailable"),
    ] {
        let page = session.page(path).await;
        assert!(page.contains(expected), "{path}: {page}");
        assert!(page.contains("Redis unavailable"), "{path}: {page}");
        assert!(!page.contains("hunter2"), "{path}");
    }
    let export = session.get("/catalog/export").await;
    assert!(
        export.text().contains("[services.vault]"),
        "{}",
        export.text()
    );
    // These return an error page.
    for path in PAGES_OF_REDIS {
        let page = session.get(path).await;
        assert_eq!(page.status, 503, "{path}");
        assert!(
            page.text().contains("Redis unavailable"),
            "{path}: {}",
            page.text()
        );
        assert!(page.text().contains("Sign out"), "{path}: {}", page.text());
    }
    // The event stream of the overview shows the outage too.
    let stream = session
        .request(reqwest::Method::GET, "/overview/events")
        .send();
    let first = first_event(stream.await.unwrap()).await;
    assert!(first.contains("data-stale"), "{first}");
    // Without a session, nothing is shown.
    let unauthenticated =
        TestResponse::send(session.unauthenticated_request(reqwest::Method::GET, "")).await;
    assert_eq!(unauthenticated.status, 303, "{}", unauthenticated.text());

    redis.spawn(&DURABLE);
    eventually("the pages have recovered", async || {
        let page = session.get("").await;
        let healthy = page.status == 200 && !page.text().contains("Redis unavailable");
        healthy.then_some(())
    })
    .await;
}

#[tokio::test]
async fn pages_show_readyz_when_only_writes_fail() {
    let redis = DedicatedRedis::start(&DURABLE).await;
    let url = redis.url();
    let settings = [&ADMIN_SETTINGS[..], &[("redis.url", url.as_str())]].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let session = AdminSession::sign_in(&app).await;
    assert!(!session.page("").await.contains("/readyz"));
    redis
        .command(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .await;
    let page = eventually("the page shows the outage", async || {
        let page = session.page("/services").await;
        page.contains("Redis unavailable").then_some(page)
    })
    .await;
    let readyz = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(readyz.status, 200, "{}", readyz.text());
    for part in [
        "Requests that fail in Redis receive 503",
        "<code>/readyz</code> returns 200: too_few_replicas: ",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[tokio::test]
async fn an_overview_that_was_opened_during_an_outage_recovers() {
    let redis = DedicatedRedis::start(&DURABLE).await;
    let url = redis.url();
    let settings = [&ADMIN_SETTINGS[..], &[("redis.url", url.as_str())]].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let browser = Browser::open().await;
    sign_in(&browser, &app).await;
    redis.kill();
    wait_for_reason(&app, "store_unreachable").await;
    browser.goto(&app.url("/genesys/1/admin/ui")).await;
    browser.wait_for_text("Changes are not possible").await;
    browser
        .wait_for_text("No charts while Redis is unavailable")
        .await;
    redis.spawn(&DURABLE);
    eventually("the outage is no longer shown", async || {
        let text = browser.text().await;
        let is_live = text.contains("Live") && !text.contains("Not live");
        (is_live && !text.contains("Redis unavailable")).then_some(())
    })
    .await;
}
