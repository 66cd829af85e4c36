//! What an operator does in a browser.

use super::pair::{HOME, Pair, in_a_browser};
use crate::support::{Answer, Bodies, Multipart, browser::Browser, eventually};

in_a_browser!(
    an_operator_signs_in_and_out,
    the_overview_is_live,
    the_overview_says_when_the_visit_is_over,
    the_keyboard_is_enough,
    every_page_can_be_read_by_everybody,
);

async fn an_operator_signs_in_and_out(pair: Pair) {
    let browser = Browser::open().await;
    let deep = pair.here.url(&format!("{HOME}?deep=1"));
    browser.go(&deep).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", "wrong").await;
    browser.press("Sign in").await;
    browser.sees("not those of the administration").await;
    browser.fill("Password", super::pair::PASSWORD).await;
    browser.press("Sign in").await;
    browser.sees("Signed in as admin").await;
    assert_eq!(browser.place().await, HOME, "where they wanted to go");
    browser.press("Sign out").await;
    browser.field("Password").await;
    browser.go(&deep).await;
    browser.field("Password").await;
}

async fn the_overview_is_live(pair: Pair) {
    let browser = pair.signed_in().await;
    let services = async || {
        let figure = "return document.querySelector('.figures dd').textContent";
        browser.run(figure).await.as_str().unwrap().to_owned()
    };
    assert_eq!(services().await, "0");
    browser.sees("Live.").await;
    pair.there().create("a=1").await;
    eventually("the page counts the service", async || {
        (services().await == "1").then_some(())
    })
    .await;
    // Who wants to read at leisure can. Another window tells when it would have been told here.
    browser.press("Pause updates").await;
    browser.sees("Paused.").await;
    let other = pair.signed_in().await;
    other.sees("Live.").await;
    pair.there().create("a=1").await;
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

async fn the_overview_says_when_the_visit_is_over(pair: Pair) {
    let browser = pair.signed_in().await;
    browser.sees("Live.").await;
    // As somebody does in another window.
    let sign_out = "const form = document.querySelector('form.who'); \
                    fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });";
    browser.run(sign_out).await;
    browser.sees("You are not signed in any more").await;
    browser.look("an overview whose visit is over").await;
    let stale = "return document.querySelectorAll('.figures').length";
    assert_eq!(browser.run(stale).await, 0, "and nothing stale");
    let button = "return getComputedStyle(document.querySelector('[data-pause]')).display";
    assert_eq!(browser.run(button).await, "none", "and nothing to pause");
    browser.follow("Sign in again").await;
    browser.field("Password").await;
}

async fn the_keyboard_is_enough(pair: Pair) {
    let browser = Browser::open().await;
    browser
        .go(&pair.here.url(&format!("{HOME}/services")))
        .await;
    // The first field is where one begins to write.
    browser
        .keys(&["admin", Browser::TAB, super::pair::PASSWORD, Browser::ENTER])
        .await;
    browser.sees("Signed in as admin").await;
    browser.keys(&[Browser::TAB, Browser::ENTER]).await;
    let at = "return document.activeElement.id";
    assert_eq!(browser.run(at).await, "content", "past the menu");
    browser
        .keys(&[Browser::TAB, Browser::ENTER, Browser::TAB, Browser::ENTER])
        .await;
    browser.sees("New configured service").await;
    eventually("the first template", async || {
        (browser.place().await == format!("{HOME}/new/services")).then_some(())
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
    ("/live", "live"),
    ("/history", "history"),
    ("/try?operation=createService", "try-it"),
    ("/api", "api"),
];

async fn every_page_can_be_read_by_everybody(pair: Pair) {
    let browser = Browser::open().await;
    browser.go(&pair.here.url("/genesys/1/admin")).await;
    looked_at(&browser, "sign-in").await;
    super::pair::sign_in(&browser, &pair.here).await;
    something_is_there(&browser, &pair).await;
    for (page, name) in PAGES {
        browser.go(&pair.here.url(&format!("{HOME}{page}"))).await;
        looked_at(&browser, name).await;
    }
}

/// A group, a service that gives its numbers, and one that lives and holds one, with data and a file.
async fn something_is_there(browser: &Browser, pair: &Pair) {
    let app = &pair.here;
    browser.go(&app.url(&format!("{HOME}/catalog"))).await;
    browser.fill("Catalogue, as TOML", SHOP).await;
    browser.press("Preview").await;
    browser.sees("2 new, 0 changed, 0 deleted").await;
    browser.press("Import").await;
    browser.sees("It is imported").await;
    // What would be deleted, and what with, is seen before it is.
    browser.fill("Catalogue, as TOML", OTHER).await;
    browser.check("is deleted, where it was made here").await;
    browser.press("Preview").await;
    browser.sees("1 new, 0 changed, 2 deleted").await;
    looked_at(browser, "import").await;
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
    let made = Answer::of(made.multipart_body(form)).await;
    let id = made.json()["_id"].as_str().unwrap().to_owned();
    browser.go(&app.url(&format!("{HOME}/live/{id}"))).await;
    looked_at(browser, "live-one").await;
    browser.go(&app.url(&format!("{HOME}/groups/sales"))).await;
    looked_at(browser, "group-in-use").await;
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
async fn looked_at(browser: &Browser, name: &str) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        browser.size(360, 740).await;
        browser.look(&format!("{name}, {scheme}, narrow")).await;
        browser.size(1280, 900).await;
        browser.look(&format!("{name}, {scheme}")).await;
        browser.picture(&format!("{name}-{scheme}")).await;
    }
    browser.prefer("light").await;
}

#[tokio::test]
async fn an_operator_signs_in_over_plain_http_from_another_machine() {
    let pair = Pair::on_memory().await;
    let port = pair.here.address.port();
    let browser = Browser::open().await;
    let home = format!("http://switchboard.test:{port}{HOME}");
    browser.go(&home).await;
    assert_eq!(browser.run("return isSecureContext").await, false);
    browser.fill("User name", "admin").await;
    browser.fill("Password", super::pair::PASSWORD).await;
    browser.press("Sign in").await;
    browser.sees("Signed in as admin").await;
    browser.press("Sign out").await;
    browser.field("Password").await;
}
