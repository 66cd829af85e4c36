//! What an operator does in a browser.

use super::browser_fixture::{BrowserFixture, HOME, in_a_browser};
use crate::support::{Bodies, Multipart, TestResponse, browser::Browser, eventually};

in_a_browser!(
    an_operator_signs_in_and_out,
    the_overview_is_live,
    the_overview_says_when_the_visit_is_over,
    the_keyboard_is_enough,
    every_page_can_be_read_by_everybody,
);

async fn an_operator_signs_in_and_out(pair: BrowserFixture) {
    let browser = Browser::open().await;
    let deep = pair.app.url(&format!("{HOME}?deep=1"));
    browser.goto(&deep).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", "wrong").await;
    browser.press("Sign in").await;
    browser
        .wait_for_text("not those of the administration")
        .await;
    browser
        .fill("Password", super::browser_fixture::PASSWORD)
        .await;
    browser.press("Sign in").await;
    browser.wait_for_text("Signed in as admin").await;
    assert_eq!(browser.path().await, HOME, "where they wanted to go");
    browser.press("Sign out").await;
    browser.field("Password").await;
    browser.goto(&deep).await;
    browser.field("Password").await;
}

async fn the_overview_is_live(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    let services = async || {
        let figure = "return document.querySelector('.figures dd').textContent";
        browser.run(figure).await.as_str().unwrap().to_owned()
    };
    assert_eq!(services().await, "0");
    browser.wait_for_text("Live.").await;
    pair.other().create("a=1").await;
    eventually("the page counts the service", async || {
        (services().await == "1").then_some(())
    })
    .await;
    // Who wants to read at leisure can. Another window tells when it would have been told here.
    browser.press("Pause updates").await;
    browser.wait_for_text("Paused.").await;
    let other = pair.open_signed_in().await;
    other.wait_for_text("Live.").await;
    pair.other().create("a=1").await;
    eventually("the other window counts both", async || {
        let figure = "return document.querySelector('.figures dd').textContent";
        (other.run(figure).await == "2").then_some(())
    })
    .await;
    assert_eq!(services().await, "1");
    browser.press("Go on updating").await;
    eventually("the page counts both", async || {
        (services().await == "2").then_some(())
    })
    .await;
    // Times are in the reader's zone, and exact where one points at them.
    let time = "const t = document.querySelector('time'); return t.title !== t.textContent && !isNaN(new Date(t.title))";
    assert_eq!(browser.run(time).await, true);
}

async fn the_overview_says_when_the_visit_is_over(pair: BrowserFixture) {
    let browser = pair.open_signed_in().await;
    browser.wait_for_text("Live.").await;
    // As somebody does in another window.
    let sign_out = "const form = document.querySelector('form.who'); \
                    fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });";
    browser.run(sign_out).await;
    browser
        .wait_for_text("You are not signed in any more")
        .await;
    browser.inspect("an overview whose visit is over").await;
    let stale = "return document.querySelectorAll('.figures').length";
    assert_eq!(browser.run(stale).await, 0, "and nothing stale");
    let button = "return getComputedStyle(document.querySelector('[data-pause]')).display";
    assert_eq!(browser.run(button).await, "none", "and nothing to pause");
    browser.follow("Sign in again").await;
    browser.field("Password").await;
}

async fn the_keyboard_is_enough(pair: BrowserFixture) {
    let browser = Browser::open().await;
    browser
        .goto(&pair.app.url(&format!("{HOME}/services")))
        .await;
    // The first field is where one begins to write.
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
    assert_eq!(browser.run(at).await, "content", "past the menu");
    browser
        .keys(&[Browser::TAB, Browser::ENTER, Browser::TAB, Browser::ENTER])
        .await;
    browser.wait_for_text("New configured service").await;
    eventually("the first template", async || {
        (browser.path().await == format!("{HOME}/new/services")).then_some(())
    })
    .await;
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    browser.keys(&[Browser::TAB]).await;
    assert_eq!(browser.run(outline).await, "solid", "one sees where one is");
}

/// Page, and what its picture is called.
const PAGES: [(&str, &str); 11] = [
    ("", "overview"),
    ("/services", "services"),
    ("/new/services?template=request-interaction", "new-service"),
    ("/services/request-interaction", "service-of-the-file"),
    ("/groups", "groups"),
    ("/groups/DNIS", "group"),
    ("/catalog", "catalog"),
    ("/active-services", "live"),
    ("/audit-log", "history"),
    ("/try?operation=createService", "try-it"),
    ("/api", "api"),
];

async fn every_page_can_be_read_by_everybody(pair: BrowserFixture) {
    let browser = Browser::open().await;
    browser.goto(&pair.app.url("/genesys/1/admin")).await;
    inspect_page(&browser, "sign-in").await;
    super::browser_fixture::sign_in(&browser, &pair.app).await;
    create_sample_data(&browser, &pair).await;
    for (page, name) in PAGES {
        browser.goto(&pair.app.url(&format!("{HOME}{page}"))).await;
        inspect_page(&browser, name).await;
    }
}

/// A group, a service that gives its numbers, and one that lives and holds one, with data and a file.
async fn create_sample_data(browser: &Browser, pair: &BrowserFixture) {
    let app = &pair.app;
    browser.goto(&app.url(&format!("{HOME}/catalog"))).await;
    browser.fill("Catalogue, as TOML", SHOP).await;
    browser.press("Preview").await;
    browser.wait_for_text("2 new, 0 changed, 0 deleted").await;
    browser.press("Import").await;
    browser.wait_for_text("It is imported").await;
    // What would be deleted, and what with, is seen before it is.
    browser.fill("Catalogue, as TOML", OTHER).await;
    browser.check("is deleted, where it was made here").await;
    browser.press("Preview").await;
    browser.wait_for_text("1 new, 0 changed, 2 deleted").await;
    inspect_page(browser, "import").await;
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
    let made = app
        .post("/genesys/1/service/call-sales")
        .header("gms_user", "ada");
    let made = TestResponse::send(made.multipart_body(form)).await;
    let id = made.json()["_id"].as_str().unwrap().to_owned();
    browser
        .goto(&app.url(&format!("{HOME}/active-services/{id}")))
        .await;
    inspect_page(browser, "live-one").await;
    browser
        .goto(&app.url(&format!("{HOME}/groups/sales")))
        .await;
    inspect_page(browser, "group-in-use").await;
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

/// In the light and in the dark, in a wide window and in a narrow one.
async fn inspect_page(browser: &Browser, name: &str) {
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
async fn an_operator_signs_in_over_plain_http_from_another_machine() {
    let pair = BrowserFixture::on_memory().await;
    let port = pair.app.address.port();
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
    browser.press("Sign out").await;
    browser.field("Password").await;
}
