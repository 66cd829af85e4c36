//! Sign-in, live overview, keyboard, accessibility and screenshots in a browser.

use super::{
    browser_fixture::{BrowserFixture, HOME, in_a_browser},
    replica::replica_page,
};
use crate::support::{Bodies, Multipart, TestResponse, browser::Browser, eventually};

in_a_browser!(
    operator_signs_in_and_out,
    overview_updates_live_and_can_be_paused,
    overview_shows_expired_session,
    pages_are_usable_with_the_keyboard,
    every_page_passes_the_accessibility_checks,
);

async fn operator_signs_in_and_out(fixture: BrowserFixture) {
    let browser = Browser::open().await;
    let deep = fixture.app.url(&format!("{HOME}?deep=1"));
    browser.goto(&deep).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", "wrong").await;
    browser.press("Sign in").await;
    browser
        .wait_for_text("Incorrect user name or password")
        .await;
    browser
        .fill("Password", super::browser_fixture::PASSWORD)
        .await;
    browser.press("Sign in").await;
    browser.wait_for_text("Signed in as admin").await;
    assert_eq!(browser.path().await, HOME, "the requested page");
    browser.press("Sign out").await;
    browser.field("Password").await;
    browser.goto(&deep).await;
    browser.field("Password").await;
}

async fn overview_updates_live_and_can_be_paused(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    let services = async || {
        let figure = "return document.querySelector('.figures dd').textContent";
        browser.run(figure).await.as_str().unwrap().to_owned()
    };
    assert_eq!(services().await, "0");
    browser.wait_for_text("Live").await;
    fixture.other().create("a=1").await;
    eventually("the page shows the service", async || {
        (services().await == "1").then_some(())
    })
    .await;
    // Updates can be paused. A second window shows when this one would have been updated.
    browser.press("Pause updates").await;
    browser.wait_for_text("Paused").await;
    let other = fixture.open_signed_in().await;
    other.wait_for_text("Live").await;
    fixture.other().create("a=1").await;
    eventually("the other window shows both", async || {
        let figure = "return document.querySelector('.figures dd').textContent";
        (other.run(figure).await == "2").then_some(())
    })
    .await;
    assert_eq!(services().await, "1");
    browser.press("Resume updates").await;
    eventually("the page shows both", async || {
        (services().await == "2").then_some(())
    })
    .await;
    // Times are in the local time zone, with the distance from now and the exact time as the title.
    let time = "const t = document.querySelector('main time'); return [t.textContent, t.title, t.dateTime]";
    let time = browser.run(time).await;
    let [text, title, exact] = [0, 1, 2].map(|n| time[n].as_str().unwrap());
    assert_ne!(text, exact);
    let distance = title.strip_suffix(&format!(", {exact}")).unwrap();
    assert!(
        distance.ends_with(" ago") || distance.starts_with("in "),
        "{title}"
    );
}

async fn overview_shows_expired_session(fixture: BrowserFixture) {
    let browser = fixture.open_signed_in().await;
    browser.wait_for_text("Live").await;
    // Sign out in another window.
    let sign_out = "const form = document.querySelector('form.who'); \
                    fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });";
    browser.run(sign_out).await;
    browser.wait_for_text("Your session has expired").await;
    browser.inspect("an overview with an expired session").await;
    let stale = "return document.querySelectorAll('.figures').length";
    assert_eq!(browser.run(stale).await, 0, "no stale data");
    let button = "return getComputedStyle(document.querySelector('[data-pause]')).display";
    assert_eq!(browser.run(button).await, "none", "no pause button");
    browser.follow("Sign in again").await;
    browser.field("Password").await;
}

async fn pages_are_usable_with_the_keyboard(fixture: BrowserFixture) {
    let browser = Browser::open().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}/services")))
        .await;
    eventually("the first field has the focus", async || {
        let focused = browser.run("return document.activeElement.tagName").await;
        (focused == "INPUT").then_some(())
    })
    .await;
    browser
        .keys(&[
            "admin",
            Browser::TAB,
            super::browser_fixture::PASSWORD,
            Browser::ENTER,
        ])
        .await;
    browser.wait_for_text("Signed in as admin").await;
    browser.keys(&[Browser::TAB, Browser::ENTER]).await;
    let at = "return document.activeElement.id";
    eventually("the skip link moves the focus", async || {
        (browser.run(at).await == "content").then_some(())
    })
    .await;
    browser
        .keys(&[Browser::TAB, Browser::ENTER, Browser::TAB, Browser::ENTER])
        .await;
    browser.wait_for_text("New service definition").await;
    eventually("the first template", async || {
        let is_there = browser.path().await == format!("{HOME}/new/services");
        let state = browser.run("return document.readyState").await;
        (is_there && state == "complete").then_some(())
    })
    .await;
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    browser.keys(&[Browser::TAB]).await;
    assert_eq!(browser.run(outline).await, "solid", "the focus is visible");
}

/// Page and name of its screenshot.
const PAGES: [(&str, &str); 15] = [
    ("", "overview"),
    ("/services", "service-definitions"),
    (
        "/new/services?preset=request-interaction",
        "new-service-definition",
    ),
    (
        "/services/request-interaction",
        "service-definition-from-file",
    ),
    ("/groups", "resource-groups"),
    ("/groups/DNIS", "resource-group"),
    ("/match-explanation", "match-explanation"),
    ("/catalog", "import-export"),
    ("/active-services", "active-services"),
    ("/bookings", "bookings"),
    ("/audit-log", "audit-log"),
    ("/chats", "chats"),
    ("/try-chat", "try-chat"),
    ("/try?operation=createService", "api-explorer"),
    ("/api", "api-reference"),
];

async fn every_page_passes_the_accessibility_checks(fixture: BrowserFixture) {
    let browser = Browser::open().await;
    browser.goto(&fixture.app.url("/genesys/1/admin")).await;
    inspect_page(&browser, "sign-in").await;
    super::browser_fixture::sign_in(&browser, &fixture.app).await;
    create_sample_data(&browser, &fixture).await;
    for (page, name) in PAGES {
        browser
            .goto(&fixture.app.url(&format!("{HOME}{page}")))
            .await;
        inspect_page(&browser, name).await;
    }
    let replica = replica_page(&fixture.app, fixture.other()).await;
    let replica = fixture.app.url(&format!("{HOME}{replica}"));
    browser.goto(&replica).await;
    browser.expand("Set offline…").await;
    inspect_page(&browser, "replica").await;
}

/// Creates a group, a definition that uses it, an active service with a booked number, data and a file, and a storage
/// area.
async fn create_sample_data(browser: &Browser, fixture: &BrowserFixture) {
    let app = &fixture.app;
    browser.goto(&app.url(&format!("{HOME}/catalog"))).await;
    browser.fill("Catalog (TOML)", SHOP).await;
    browser.press("Preview").await;
    browser.wait_for_text("2 new, 0 changed, 0 deleted").await;
    browser.press("Import").await;
    browser.wait_for_text("Imported").await;
    // A preview with deletions.
    browser.fill("Catalog (TOML)", OTHER).await;
    browser.check("Delete (console entries only)").await;
    browser.press("Preview").await;
    browser.wait_for_text("1 new, 0 changed, 2 deleted").await;
    inspect_page(browser, "import-preview").await;
    let form = Multipart::new()
        .text("_phone_number", "+1 650 469 9999")
        .text("reason", "A question about an invoice")
        .text("language", "french")
        .file(
            "screenshot",
            "invoice.png",
            "image/png",
            b"\x89PNG and more",
        );
    let created = app
        .post("/genesys/1/service/call-sales")
        .header("gms_user", "ada");
    let created = TestResponse::send(created.multipart_body(form)).await;
    let id = created.json()["_id"].as_str().unwrap().to_owned();
    browser
        .goto(&app.url(&format!("{HOME}/active-services/{id}")))
        .await;
    inspect_page(browser, "active-service").await;
    let area = app.post("/genesys/1/storage/session4711/3600");
    let area = area
        .header("gms_user", "chat-server")
        .form_body("state=waiting");
    assert_eq!(TestResponse::send(area).await.status, 200);
    browser
        .goto(&app.url(&format!("{HOME}/groups/sales")))
        .await;
    inspect_page(browser, "resource-group-in-use").await;
}

const SHOP: &str = "
[resources.sales]
_allocation_strategy = 'CLUSTER'
_booking_expiration_timeout = '600'
numbers = ['8005550201', '8005550202', '8005550203', '8005550204']
[services.call-sales]
_type = 'builtin'
_service = 'request-interaction'
_resource_group = 'sales'
_provide_code = 'true'
";

const OTHER: &str = "
[services.\"a-service-with-a-rather-long-name-without-any-place-to-break-it\"]
_type = 'builtin'
_service = 'store'
";

/// Inspects a page in light and dark, wide and narrow; takes screenshots.
pub(super) async fn inspect_page(browser: &Browser, name: &str) {
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        browser.resize(360, 740).await;
        browser.inspect(&format!("{name}, {scheme}, narrow")).await;
        browser.resize(1280, 900).await;
        browser.inspect(&format!("{name}, {scheme}")).await;
        browser.screenshot(&format!("{name}-{scheme}")).await;
    }
    browser.set_color_scheme("light").await;
}

#[tokio::test]
async fn sign_in_works_over_plain_http_from_another_host() {
    let fixture = BrowserFixture::on_memory().await;
    let port = fixture.app.address.port();
    let browser = Browser::open().await;
    let home = format!("http://switchboard.test:{port}{HOME}");
    browser.goto(&home).await;
    assert_eq!(browser.run("return isSecureContext").await, false);
    browser.fill("User name", "admin").await;
    browser
        .fill("Password", super::browser_fixture::PASSWORD)
        .await;
    browser.press("Sign in").await;
    browser.wait_for_text("Signed in as admin").await;
    // The browser has no clipboard API for pages without encryption.
    let area = fixture.app.create("a=b").await;
    let service = format!("{home}{}", super::fixture::service_page(&area));
    browser.goto(&service).await;
    browser
        .run("document.querySelector('button.copy').focus()")
        .await;
    // The text disappears after two seconds, which a slow machine could miss.
    browser
        .run(
            "const button = document.querySelector('button.copy');
            new MutationObserver(() => button.dataset.seen = (button.dataset.seen ?? '') + button.textContent)
                .observe(button, {childList: true, characterData: true, subtree: true})",
        )
        .await;
    browser.keys(&[Browser::ENTER]).await;
    let seen = "return document.querySelector('button.copy').dataset.seen ?? ''";
    eventually("the button says that it copied", async || {
        let seen = browser.run(seen).await;
        seen.as_str()
            .is_some_and(|seen| seen.starts_with("Copied"))
            .then_some(())
    })
    .await;
    let status = "return document.querySelector('main > .unseen').textContent";
    eventually("the button and the status are as before", async || {
        let button = browser
            .run("return document.querySelector('button.copy').textContent")
            .await;
        (button == "Copy" && browser.run(status).await == "").then_some(())
    })
    .await;
    browser.inspect("a service after a copy").await;
    browser.press("Sign out").await;
    browser.field("Password").await;
}
