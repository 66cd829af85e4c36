//! The actions on selected rows of a list in a browser: in view, usable with the keyboard, and not over the focus.

use super::browser_fixture::{BrowserFixture, HOME, in_a_browser};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, request_interaction_options,
    },
    support::{TestApp, bookings::number, browser::Browser, eventually},
};

in_a_browser!(
    actions_stay_in_view_and_do_not_cover_the_focus,
    actions_are_reached_with_the_keyboard,
);

const GROUP: &str = "a-resource-group-with-a-rather-long-name-for-calls-at-night";
const ROWS: usize = 30;

/// Creates a group, and books all its numbers.
async fn create_bookings(app: &TestApp) {
    let numbers: Vec<String> = (0..ROWS).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let path = format!("groups/{GROUP}");
    create_entry(app, &path, &exclusive_group_options(&numbers)).await;
    create_entry(app, "services/call", &request_interaction_options(GROUP)).await;
    for _ in 0..ROWS {
        create_service(app, "call").await.service_id();
    }
}

/// The texts of links, buttons and boxes that the actions cover when they have the focus, from the last to the first; or
/// that the actions are not in view.
const COVERED: &str = "
    const bar = document.querySelector('.toolbar'), covered = [];
    const table = bar.parentElement.querySelector('table');
    for (const one of [...table.querySelectorAll('tbody :is(a, button, input, summary)')].reverse()) {
        if (!one.checkVisibility()) continue;
        one.focus();
        const top = one.getBoundingClientRect().top, { top: start, bottom: end } = bar.getBoundingClientRect();
        if (top < end) covered.push(`${one.textContent} at ${top}, the actions end at ${end}`);
        if (start < 0 || end > innerHeight) covered.push(`actions from ${start} to ${end}`);
    }
    return covered;";
/// Whether the table fits in its region, in rows of at most two lines.
const IS_COMPACT: &str = "
    const region = document.querySelector('.toolbar').parentElement.querySelector('.wide');
    const rows = [...region.querySelectorAll('tbody tr')].map((row) => row.offsetHeight);
    return [region.scrollWidth - region.clientWidth, Math.max(...rows)];";

async fn actions_stay_in_view_and_do_not_cover_the_focus(fixture: BrowserFixture) {
    create_bookings(&fixture.app).await;
    let browser = fixture.open_signed_in().await;
    for page in ["/active-services", "/bookings", &format!("/groups/{GROUP}")] {
        for (width, scheme) in [(1280, "light"), (390, "dark")] {
            let case = format!("{page}, {width}, {scheme}");
            browser.set_color_scheme(scheme).await;
            browser.resize(width, 844).await;
            browser
                .goto(&fixture.app.url(&format!("{HOME}{page}")))
                .await;
            browser.wait_for_text("0 selected").await;
            browser.inspect(&format!("{case}, nothing selected")).await;
            assert_eq!(browser.run(COVERED).await, serde_json::json!([]), "{case}");
            if width == 1280 {
                let found = browser.run(IS_COMPACT).await;
                assert_eq!(found[0], 0, "{case}: wider than its region");
                assert!(found[1].as_u64().unwrap() < 75, "{case}: {found}");
            }
            browser
                .run("document.querySelector('input[name=row]').click()")
                .await;
            browser.wait_for_text("1 selected").await;
            browser.inspect(&format!("{case}, one selected")).await;
        }
    }
    browser.resize(1280, 844).await;
    browser.follow("Numbers of this group").await;
    let top = "return document.getElementById('numbers').getBoundingClientRect().top";
    eventually("the table of numbers is in view", async || {
        let top = browser.run(top).await.as_f64()?;
        (0.0..400.0).contains(&top).then_some(())
    })
    .await;
}

async fn actions_are_reached_with_the_keyboard(fixture: BrowserFixture) {
    create_bookings(&fixture.app).await;
    let browser = fixture.open_signed_in().await;
    browser
        .goto(&fixture.app.url(&format!("{HOME}/bookings")))
        .await;
    browser.wait_for_text("0 selected").await;
    let is_disabled = "return document.querySelector('button[name=action]').disabled";
    assert_eq!(browser.run(is_disabled).await, true);
    // The last row, and the link after it.
    browser
        .run("[...document.querySelectorAll('input[name=row]')].at(-1).focus()")
        .await;
    browser.keys(&[" "]).await;
    browser.wait_for_text("1 selected").await;
    assert_eq!(browser.run(is_disabled).await, false);
    browser
        .run("[...document.querySelectorAll('tbody button')].at(-1).focus()")
        .await;
    browser.keys(&[Browser::TAB]).await;
    browser
        .wait_for_text("To the actions on selected rows")
        .await;
    let focused = "return document.activeElement.textContent";
    assert_eq!(
        browser.run(focused).await,
        "To the actions on selected rows"
    );
    browser
        .keys(&[Browser::ENTER, Browser::TAB, Browser::ENTER])
        .await;
    browser.wait_for_text("Release 1 number?").await;
}
