//! The quarantine of numbers on the page of their resource group.

use super::{
    browser_fixture::{BrowserFixture, HOME},
    bulk_actions::{confirm, select, summary},
    fixture::{AdminSession, all_between, between, page_html, unescaped},
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_entry, create_service, exclusive_group_options, get_json,
        request_interaction_options, start_admin,
    },
    support::{
        TestApp,
        bookings::{Booked, number},
        on_every_kind_of_store,
    },
};

on_every_kind_of_store!(selected_numbers_are_quarantined_after_a_confirmation,);

const GROUP: &str = "desk & co/1";
const PAGE: &str = "/groups/desk%20%26%20co%2F1";

async fn create_group(app: &TestApp, count: usize) {
    let numbers: Vec<String> = (0..count).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let path = format!("groups/{}", crate::support::encode(GROUP));
    create_entry(app, &path, &exclusive_group_options(&numbers)).await;
    create_entry(app, "services/call", &request_interaction_options(GROUP)).await;
}

/// The texts of the cells with the states of the numbers.
fn states(page: &str) -> Vec<&str> {
    let section = page.split_once("<h2 id=\"numbers\">").unwrap().1;
    let rows = all_between(between(section, "<tbody>", "</tbody>"), "<tr>", "</tr>");
    let state = |row: &&'_ str| -> usize { row.find("</th>").unwrap() };
    let rows = rows.into_iter();
    rows.map(|row| between(&row[state(&row)..], "<td>", "</td>"))
        .collect()
}

async fn selected_numbers_are_quarantined_after_a_confirmation(app: TestApp) {
    let app = start_admin(&app).await;
    create_group(&app, 4).await;
    let booked = Booked::from_response(&create_service(&app, "call").await);
    assert_eq!(booked.number, number(0));
    let session = AdminSession::sign_in(&app).await;
    assert_eq!(
        states(&session.page(PAGE).await),
        ["booked", "free", "free", "free"]
    );
    let path = format!("{PAGE}/quarantine");
    let numbers = [number(0), number(1)];
    let numbers = [numbers[0].as_str(), numbers[1].as_str()];
    let before = audit_actions(&app).await;
    let confirmation = select(&session, &path, "quarantine", &numbers).await;
    let page = page_html(&confirmation);
    assert!(page.contains("<h1>Quarantine 2 numbers?</h1>"), "{page}");
    assert!(page.contains("From now on the numbers are not booked."));
    assert_eq!(audit_actions(&app).await, before, "nothing has changed yet");
    let result = confirm(&session, &path, &confirmation, &[]).await;
    assert_eq!(summary(&result), "2 done, 0 already gone, 0 failed");
    let page = session.page(PAGE).await;
    let all = states(&page);
    assert!(all[0].starts_with("quarantined<br>"), "{all:?}");
    assert!(all[1].contains("by <bdi>admin</bdi>, <time"), "{all:?}");
    assert_eq!(all[2..], ["free", "free"]);
    assert!(page.contains(&booked.id), "the booking remains");
    for page in [PAGE, "/groups", ""] {
        let page = session.page(page).await;
        assert!(page.contains("0 / 2 in use (0 %), 2 quarantined"), "{page}");
    }
    let found = session.page(&format!("{PAGE}?state=quarantined")).await;
    assert!(found.contains("1-2 of 2"), "{found}");
    let log = unescaped(&session.page("/audit-log?action=quarantine").await);
    assert!(log.contains(&format!("{GROUP}/{}", number(1))), "{log}");
    let url = format!("{HOME}{PAGE}?number={}", number(1));
    assert!(log.contains(&url), "{log}");
    let again = confirm(&session, &path, &confirmation, &[]).await;
    assert_eq!(
        summary(&again),
        "0 done, 2 already quarantined, 0 already gone, 0 failed"
    );
    // Of a free number nothing is to be ended.
    let numbers = [numbers[0], numbers[1], &number(2)];
    let confirmation = select(&session, &path, "end_quarantine", &numbers).await;
    assert!(page_html(&confirmation).contains("<h1>End quarantine of 3 numbers?</h1>"));
    let result = confirm(&session, &path, &confirmation, &[]).await;
    assert_eq!(
        summary(&result),
        "2 done, 1 not quarantined, 0 already gone, 0 failed"
    );
    assert_eq!(
        states(&session.page(PAGE).await),
        ["booked", "free", "free", "free"]
    );
    let all: Vec<String> = (0..4).map(number).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let confirmation = select(&session, &path, "quarantine", &all).await;
    let result = confirm(&session, &path, &confirmation, &[]).await;
    assert_eq!(summary(&result), "4 done, 0 already gone, 0 failed");
    let page = session.page("/groups").await;
    let usage = "all 4 numbers quarantined <strong class=\"exhausted\">exhausted</strong>";
    assert!(page.contains(usage), "{page}");
    let unknown = select(&session, &path, "release", &numbers).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn numbers_are_quarantined_in_a_browser() {
    let fixture = BrowserFixture::on_redis().await;
    create_group(&fixture.app, 3).await;
    create_service(&fixture.app, "call").await.service_id();
    let browser = fixture.open_signed_in().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}{PAGE}")))
        .await;
    let click = async |label: &str| {
        let script = format!("document.querySelector('[aria-label=\"{label}\"]').click()");
        browser.run(&script).await;
    };
    click("Select all on this page").await;
    browser.wait_for_text("3 selected").await;
    click(&format!("Select {}", number(1))).await;
    browser.wait_for_text("2 selected").await;
    browser.press("Quarantine…").await;
    browser.wait_for_text("Quarantine 2 numbers?").await;
    browser.inspect("the confirmation of a quarantine").await;
    browser.press("Quarantine 2 numbers").await;
    browser
        .wait_for_text("2 done, 0 already gone, 0 failed")
        .await;
    browser.inspect("the result of a quarantine").await;
    browser.follow("Back to the list").await;
    browser.wait_for_text("quarantined\nby ").await;
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        for width in [1_280, 390] {
            browser.resize(width, 900).await;
            browser
                .inspect(&format!("quarantined numbers, {scheme}, {width}"))
                .await;
        }
    }
    let path = format!("groups/{}/quarantine", crate::support::encode(GROUP));
    let listed = get_json(&fixture.app, &path).await;
    assert_eq!(listed["numbers"].as_array().unwrap().len(), 2, "{listed}");
}
