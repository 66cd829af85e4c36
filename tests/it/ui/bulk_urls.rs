//! The length of the URL that asks for a confirmation of an action on several rows.

use reqwest::Url;

use super::{
    browser_fixture::{BrowserFixture, HOME},
    fixture::{AdminSession, all_between, between, page_html, unescaped},
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, request_interaction_options,
        start_admin,
    },
    support::{TestApp, bookings::number, on_redis_only},
};

on_redis_only!(
    a_whole_page_of_usual_rows_can_be_selected,
    a_selection_that_is_too_long_is_refused,
);

const GROUP: &str = "sales-in-french-at-night";
const PAGE: &str = "/groups/sales-in-french-at-night";
/// The maximum number of rows on a page.
const ROWS: usize = 100;

/// Creates a group with these numbers.
async fn create_group(app: &TestApp, number: impl Fn(usize) -> String) {
    let numbers: Vec<String> = (0..ROWS).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let path = format!("groups/{GROUP}");
    create_entry(app, &path, &exclusive_group_options(&numbers)).await;
}

/// A number of 62 bytes, with characters that a URL escapes.
fn long_number(n: usize) -> String {
    format!("{} {}", number(n), "–".repeat(17))
}

/// The URL that a browser requests for the first `rows` of a list, below [`HOME`].
fn confirmation_url(page: &str, path: &str, action: &str, rows: usize) -> String {
    let values = all_between(page, "name=\"row\" value=\"", "\"");
    assert!(values.len() >= rows, "{page}");
    let back = unescaped(between(page, "name=\"back\" value=\"", "\""));
    let mut url = Url::parse(&format!("http://host{path}")).unwrap();
    let mut query = url.query_pairs_mut();
    query.append_pair("back", &back);
    for value in &values[..rows] {
        query.append_pair("row", &unescaped(value));
    }
    query.append_pair("action", action);
    drop(query);
    url.as_str().strip_prefix("http://host").unwrap().to_owned()
}

async fn a_whole_page_of_usual_rows_can_be_selected(app: TestApp) {
    let app = start_admin(&app).await;
    create_group(&app, number).await;
    create_entry(&app, "services/call", &request_interaction_options(GROUP)).await;
    for _ in 0..ROWS {
        create_service(&app, "call").await.service_id();
    }
    let session = AdminSession::sign_in(&app).await;
    for (list, path, action, title) in [
        (
            "/active-services?limit=100&gms_user=&service=call",
            "/selected/active-services",
            "delete",
            "Delete 100 services?",
        ),
        (
            "/bookings?limit=100&number=&group=",
            "/selected/bookings",
            "release",
            "Release 100 numbers?",
        ),
        (
            &format!("{PAGE}?limit=100"),
            &format!("{PAGE}/quarantine"),
            "quarantine",
            "Quarantine 100 numbers?",
        ),
    ] {
        let url = confirmation_url(&session.page(list).await, path, action, ROWS);
        let bytes = HOME.len() + url.len();
        assert!(bytes <= 8_000, "{list}: {bytes} bytes");
        let confirmation = session.get(&url).await;
        assert_eq!(confirmation.status, 200, "{}", confirmation.text());
        assert!(page_html(&confirmation).contains(title), "{list}");
    }
}

async fn a_selection_that_is_too_long_is_refused(app: TestApp) {
    let app = start_admin(&app).await;
    create_group(&app, long_number).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(&format!("{PAGE}?limit=100")).await;
    let path = format!("{PAGE}/quarantine");
    let url = confirmation_url(&page, &path, "quarantine", ROWS);
    let refused = session.get(&url).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    let message = format!(
        "has {} bytes, the maximum is 8000; select fewer rows; no changes were made",
        HOME.len() + url.len()
    );
    assert!(page_html(&refused).contains(&message), "{}", refused.text());
    let fewer = confirmation_url(&page, &path, "quarantine", 40);
    assert!(
        session
            .page(&fewer)
            .await
            .contains("Quarantine 40 numbers?")
    );
}

#[tokio::test]
async fn a_selection_that_is_too_long_stays_on_its_page() {
    let fixture = BrowserFixture::on_redis().await;
    create_group(&fixture.app, long_number).await;
    let browser = fixture.open_signed_in().await;
    let page = fixture.app.url(&format!("{HOME}{PAGE}?limit=100"));
    browser.goto(&page).await;
    let click_all = "document.querySelector('[aria-label=\"Select all on this page\"]').click()";
    browser.run(click_all).await;
    browser.wait_for_text("100 selected").await;
    browser.press("Quarantine…").await;
    browser
        .wait_for_text("Too many rows for one URL: select fewer")
        .await;
    browser.inspect("a selection that is too long").await;
    let deselect =
        "for (const box of [...document.querySelectorAll('[name=row]')].slice(40)) box.click()";
    browser.run(deselect).await;
    browser.wait_for_text("40 selected").await;
    browser.press("Quarantine…").await;
    browser.wait_for_text("Quarantine 40 numbers?").await;
}
