//! The numbers of a resource group: table, search, and changes of ranges and lists.

use serde_json::json;

use super::{
    browser_fixture::{BrowserFixture, HOME},
    fixture::{AdminSession, all_between, between, next_page, redirect_target, unescaped},
    form_fields::{error_message, form_fields, set, submit},
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, get_json, put_if_match,
        request_interaction_options, start_admin,
    },
    support::{
        TestApp,
        bookings::{Booked, number},
        on_every_kind_of_store, on_redis_only,
    },
};

on_every_kind_of_store!(
    numbers_are_listed_with_state_and_holder,
    ranges_and_lists_are_added_and_removed,
);

mod on_one_store {
    use super::*;

    on_redis_only!(
        invalid_ranges_are_named_and_change_nothing,
        numbers_are_not_changed_after_another_change,
        shared_numbers_link_to_their_other_bookings,
        usual_spellings_are_one_number_each,
    );
}

const PAGE: &str = "/groups/desk";
const ENTRY: &str = "groups/desk";

async fn start(app: &TestApp, count: usize) -> TestApp {
    let app = start_admin(app).await;
    let numbers: Vec<String> = (0..count).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    create_entry(&app, ENTRY, &exclusive_group_options(&numbers)).await;
    create_entry(&app, "services/call", &request_interaction_options("desk")).await;
    app
}

/// The rows of the table of numbers.
fn rows(page: &str) -> Vec<&str> {
    let section = page.split_once("<h2 id=\"numbers\">").unwrap().1;
    let table = between(section, "<tbody>", "</tbody>");
    all_between(table, "<tr>", "</tr>")
}

/// The numbers in the table.
fn numbers(page: &str) -> Vec<String> {
    let text = |row: &&str| unescaped(between(row, "<bdi>", "</bdi>"));
    rows(page).iter().map(text).collect()
}

async fn stored_numbers(app: &TestApp) -> Vec<String> {
    let entry = get_json(app, ENTRY).await;
    serde_json::from_value(entry["options"]["numbers"].clone()).unwrap()
}

async fn numbers_are_listed_with_state_and_holder(app: TestApp) {
    let app = start(&app, 120).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(PAGE).await;
    let first: Vec<String> = (0..50).map(number).collect();
    assert_eq!(numbers(&page), first);
    assert!(page.contains("1-50 of 120"), "{page}");
    assert!(rows(&page).iter().all(|row| row.contains("<td>free</td>")));
    let page = session.page(&next_page(&page).unwrap()).await;
    assert_eq!(numbers(&page)[0], number(50));
    let booked = Booked::from_response(&create_service(&app, "call").await);
    for query in [
        "?state=booked",
        "?sort=-last_use&limit=1",
        "?sort=state&limit=1",
    ] {
        let page = session.page(&format!("{PAGE}{query}")).await;
        assert_eq!(numbers(&page), [booked.number.as_str()], "{query}");
        let row = rows(&page)[0];
        assert!(
            row.contains("<td>booked</td>") && row.contains(&booked.id),
            "{row}"
        );
        assert_eq!(
            all_between(row, "<time", ">").len(),
            2,
            "last use and end: {row}"
        );
    }
    let page = session.page(&format!("{PAGE}?state=free")).await;
    assert!(page.contains("1-50 of 119"), "{page}");
    let page = session.page(&format!("{PAGE}?number=5550099")).await;
    assert_eq!(numbers(&page), [number(99)]);
    let page = session
        .page(&format!("{PAGE}?number=%2B1+800-555-0099&limit=25"))
        .await;
    assert_eq!(numbers(&page), [number(99)], "another spelling");
    let page = session.page(&format!("{PAGE}?state=expired")).await;
    assert!(page.contains("No numbers found."), "{page}");
}

async fn ranges_and_lists_are_added_and_removed(app: TestApp) {
    let app = start(&app, 3).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = form_fields(&session.page(PAGE).await);
    set(
        &mut fields,
        "numbers_add",
        "8005560000 - 8005564999,\r\n8005550001;8005570007",
    );
    set(&mut fields, "numbers_remove", "8005550000");
    let saved = submit(&session, PAGE, &fields).await;
    let target = "/groups/desk?message=saved&added=5001&removed=1&present=1";
    assert_eq!(redirect_target(&saved), target);
    let text = "Saved. Numbers: 5,001 added, 1 removed, 1 already there. Active on this replica.";
    let page = session.page(target).await;
    assert!(page.contains(text), "{page}");
    let stored = stored_numbers(&app).await;
    assert_eq!(stored.len(), 5_003);
    assert_eq!(stored[..3], [number(1), number(2), "8005560000".to_owned()]);
    assert_eq!(stored[5_001..], ["8005564999", "8005570007"]);
    let page = session
        .page(&format!("{PAGE}?state=free&sort=-number&limit=25"))
        .await;
    assert_eq!(
        numbers(&page)[0],
        "8005564997",
        "the first 5,000 of the catalog are searched"
    );
    assert!(page.contains("Only the first 5,000 numbers"), "{page}");
    let page = session.page(&format!("{PAGE}?offset=5000&limit=25")).await;
    assert_eq!(numbers(&page).len(), 3);
    assert!(page.contains("All 5,003 numbers</summary>"), "{page}");
    let mut fields = form_fields(&page);
    set(&mut fields, "numbers_remove", "8005560000-8005564999");
    redirect_target(&submit(&session, PAGE, &fields).await);
    assert_eq!(
        stored_numbers(&app).await,
        [number(1), number(2), "8005570007".to_owned()]
    );
    let mut fields = form_fields(&session.page("/new/groups").await);
    set(&mut fields, "name", "new");
    set(&mut fields, "option:_allocation_strategy", "LOCAL");
    set(&mut fields, "numbers_add", "8005580000-8005580099");
    redirect_target(&submit(&session, "/new/groups", &fields).await);
    let created = get_json(&app, "groups/new").await;
    assert_eq!(created["options"]["numbers"].as_array().unwrap().len(), 100);
}

async fn usual_spellings_are_one_number_each(app: TestApp) {
    let app = start(&app, 1).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = form_fields(&session.page(PAGE).await);
    let spellings = ["+1 800 555 0303", "(800) 555-0301", "030 1234-5678"];
    set(&mut fields, "numbers_add", &spellings.join("\r\n"));
    redirect_target(&submit(&session, PAGE, &fields).await);
    assert_eq!(stored_numbers(&app).await[1..], spellings);
    // The search of the list finds them in other spellings, and by their digits.
    for number in ["8005550301", "%2B18005550301", "555-03", "03012345"] {
        let list = session.page(&format!("/groups?q={number}")).await;
        assert!(list.contains("/groups/desk\""), "{number}: {list}");
    }
    let list = session.page("/groups?q=8005550399").await;
    assert!(!list.contains("/groups/desk\""), "{list}");
}

async fn invalid_ranges_are_named_and_change_nothing(app: TestApp) {
    let app = start(&app, 2).await;
    let session = AdminSession::sign_in(&app).await;
    for (field, text, problem) in [
        (
            "numbers_add",
            "8005560000-8005570000",
            "has 10001 numbers, the maximum is 10000",
        ),
        (
            "numbers_add",
            "8005560009-8005560000",
            "ends before it begins",
        ),
        ("numbers_add", "8005560000-99", "ends of different lengths"),
        (
            "numbers_add",
            &"8".repeat(65),
            "is not a phone number; expected 3 to 18 digits",
        ),
        (
            "numbers_add",
            "800-555-0000,+18005550000",
            "are the same subscriber",
        ),
        (
            "numbers_add",
            "8005560000\r\n<script>alert(1)</script>",
            "\"<script>alert(1)</script>\" is not a phone number",
        ),
        (
            "numbers_add",
            "8005560000 8005560001",
            "separated by line breaks, commas or semicolons",
        ),
        (
            "numbers_remove",
            "8005550009",
            "\"8005550009\" cannot be removed",
        ),
    ] {
        let mut fields = form_fields(&session.page(PAGE).await);
        set(&mut fields, field, text);
        let response = submit(&session, PAGE, &fields).await;
        assert_eq!(response.status, 400, "{text}");
        let page = response.text();
        let error = unescaped(error_message(page));
        assert!(
            error.contains("numbers") && error.contains(problem),
            "{error}"
        );
        let typed = form_fields(page);
        assert!(
            typed.contains(&(field.to_owned(), text.to_owned())),
            "{page}"
        );
    }
    assert_eq!(stored_numbers(&app).await, [number(0), number(1)]);
}

async fn numbers_are_not_changed_after_another_change(app: TestApp) {
    let app = start(&app, 1).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = form_fields(&session.page(PAGE).await);
    let other = exclusive_group_options(&["8005550009"]);
    assert_eq!(put_if_match(&app, ENTRY, "*", &other).await.status, 200);
    set(&mut fields, "numbers_add", "8005560000-8005560009");
    assert_eq!(submit(&session, PAGE, &fields).await.status, 412);
    assert_eq!(stored_numbers(&app).await, ["8005550009"]);
}

async fn shared_numbers_link_to_their_other_bookings(app: TestApp) {
    let app = start_admin(&app).await;
    let group = json!({
        "_allocation_strategy": "RANDOM", "numbers": [number(0)], "_backup_resource": number(1),
    });
    create_entry(&app, ENTRY, &group).await;
    create_entry(&app, "services/call", &request_interaction_options("desk")).await;
    for _ in 0..3 {
        create_service(&app, "call").await.service_id();
    }
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(PAGE).await;
    let [shared, backup] = rows(&page).try_into().unwrap();
    let link = format!(
        "/bookings?group=desk&amp;number={}\">2 others</a>",
        number(0)
    );
    let shared = shared.replace("&#38;", "&amp;");
    assert!(shared.contains(&link), "{shared}");
    assert!(
        backup.contains(">backup</span>") && backup.contains("<td>free</td>"),
        "{backup}"
    );
    let others = session
        .page(&format!("/bookings?group=desk&number={}", number(0)))
        .await;
    assert!(others.contains("1-3 of 3"), "{others}");
}

#[tokio::test]
async fn a_range_is_added_with_the_keyboard_on_a_phone() {
    let fixture = BrowserFixture::on_redis().await;
    start_group(&fixture).await;
    let browser = fixture.open_signed_in().await;
    browser.resize(390, 844).await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}{PAGE}")))
        .await;
    let focus = "document.getElementById('numbers-add').focus()";
    browser.run(focus).await;
    browser.keys(&["8005560000-8005564997"]).await;
    browser
        .run("document.querySelector('form.card button.primary').focus()")
        .await;
    browser
        .keys(&[crate::support::browser::Browser::ENTER])
        .await;
    browser.wait_for_text("1-50 of 5,000").await;
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        browser
            .inspect(&format!("a group of 5,000 numbers, {scheme}"))
            .await;
    }
    let overflow =
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(browser.run(overflow).await, true);
    browser.fill("Number", "8005564997").await;
    browser
        .keys(&[crate::support::browser::Browser::ENTER])
        .await;
    browser.wait_for_text("1-1 of 1").await;
    let query = browser.run("return location.search").await;
    assert_eq!(query, "?number=8005564997&state=");
}

#[tokio::test]
async fn typed_numbers_are_kept_while_the_table_is_searched() {
    let fixture = BrowserFixture::on_redis().await;
    start_group(&fixture).await;
    let browser = fixture.open_signed_in().await;
    let page = fixture.app.url(&format!("{HOME}{PAGE}"));
    browser.goto(&page).await;
    browser.fill("Add numbers", "8005560001").await;
    browser.fill("Remove numbers", "8005550001").await;
    let fields = "return ['numbers-add', 'numbers-remove'].map((id) => document.getElementById(id).value).join()";
    browser.fill("Number", "8005550000").await;
    browser.press("Search").await;
    browser.wait_for_text("1-1 of 1").await;
    assert_eq!(browser.run(fields).await, "8005560001,8005550001");
    browser.follow("State").await;
    browser.wait_for_text("1-1 of 1").await;
    assert_eq!(browser.run(fields).await, "8005560001,8005550001");
    browser.follow("Show all").await;
    browser.wait_for_text("1-2 of 2").await;
    // They are not kept when the page is left, or after they are saved.
    browser.follow("Cancel").await;
    browser.goto(&page).await;
    browser.field("Add numbers").await;
    assert_eq!(browser.run(fields).await, ",");
    browser.fill("Add numbers", "8005560001").await;
    browser.press("Save").await;
    browser.wait_for_text("1 added").await;
    assert_eq!(browser.run(fields).await, ",");
    assert_eq!(stored_numbers(&fixture.app).await.len(), 3);
}

async fn start_group(fixture: &BrowserFixture) {
    let numbers = exclusive_group_options(&["8005550000", "8005550001"]);
    create_entry(&fixture.app, ENTRY, &numbers).await;
}
