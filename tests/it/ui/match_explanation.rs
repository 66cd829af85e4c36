//! *Match explanation*: the form, its result, and the list of failed matches.

use serde_json::json;

use super::{
    browser::inspect_page,
    browser_fixture::{BrowserFixture, HOME, in_a_browser},
    fixture::{AdminSession, page_html},
};
use crate::{
    api::admin::fixture::{
        create_entry, create_group_and_service, create_service_with, get_json, start_admin,
        start_admin_with,
    },
    support::{
        TestApp,
        bookings::{Booked, number},
        browser::Browser,
        eventually, on_redis_only,
    },
};

in_a_browser!(an_operator_explains_a_failed_match_with_the_keyboard);

on_redis_only!(
    an_empty_list_and_invalid_calls_are_explained,
    failed_matches_are_text,
    links_to_other_pages_keep_the_number,
    the_limit_on_failed_matches_is_shown,
);

const PAGE: &str = "/match-explanation";

/// Creates a shared number with a long group name, and books it three times.
async fn create_bookings(app: &TestApp) -> Vec<Booked> {
    let group = json!({
        "_allocation_strategy": "ROUND_ROBIN",
        "_booking_expiration_timeout": "600",
        "numbers": [number(0)],
    });
    create_group_and_service(app, &group).await;
    let mut booked = Vec::new();
    for form in [
        "_phone_number=8005550101",
        "_phone_number=8005550199&_provide_code=true",
        "",
    ] {
        let created = create_service_with(app, "call", form).await;
        booked.push(Booked::from_response(&created));
    }
    booked
}

/// Sends a call that matches no booking, and waits until it is listed.
async fn fail_to_match(app: &TestApp, form: &str) {
    create_service_with(app, "match-interaction", form)
        .await
        .error_message("NoMatch", 404);
    eventually("the failed match is listed", async || {
        let listed = get_json(app, "failed-matches").await;
        (!listed["failed_matches"].as_array()?.is_empty()).then_some(())
    })
    .await;
}

async fn the_limit_on_failed_matches_is_shown(app: TestApp) {
    let limit = ("rate_limit.failed_matches_per_number", "1");
    let app = start_admin_with(&app, &[limit]).await;
    create_bookings(&app).await;
    let number = number(0);
    fail_to_match(
        &app,
        &format!("_access_number={number}&_phone_number=8005550102"),
    )
    .await;
    let session = AdminSession::sign_in(&app).await;
    let call = [
        ("_access_number", number.as_str()),
        ("_phone_number", "8005550101"),
    ];
    let response = session.submit_form(PAGE, &call).await;
    let page = page_html(&response);
    assert!(
        page.contains("Rate limited: Too many calls to the number did not match"),
        "{page}"
    );
    assert!(page.contains("<dt>Calls rejected until</dt>"), "{page}");
}

/// Asserts that the page needs no horizontal scrolling on a phone.
async fn assert_fits_phone(browser: &Browser) {
    browser.resize(390, 844).await;
    let fits = "return innerWidth === 390 && document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(fits).await, true);
    browser.resize(1280, 900).await;
}

async fn an_operator_explains_a_failed_match_with_the_keyboard(fixture: BrowserFixture) {
    let app = &fixture.app;
    let booked = create_bookings(app).await;
    let call = format!("_access_number={}&_phone_number=8005550102", number(0));
    fail_to_match(fixture.other(), &call).await;
    let browser = fixture.open_signed_in().await;
    browser.follow("Match explanation").await;
    browser
        .wait_for_text("The caller is not that of a booking of the number.")
        .await;
    browser.wait_for_text("…0102").await;
    assert!(!browser.text().await.contains("8005550102"));
    assert_fits_phone(&browser).await;
    // The link fills in the number; the operator adds the caller.
    browser.follow("Explain").await;
    let focused = "return document.activeElement.id";
    eventually("the caller has the focus", async || {
        (browser.run(focused).await == "phone-number").then_some(())
    })
    .await;
    let filled = "return document.getElementById('access-number').value";
    assert_eq!(browser.run(filled).await, number(0));
    // The result of a form on a phone is below the window without scrolling.
    browser.resize(390, 844).await;
    browser.keys(&["+1 800 555 0102", Browser::ENTER]).await;
    browser.wait_for_text("No match:").await;
    let top = "const top = document.getElementById('result').getBoundingClientRect().top; \
               return top >= 0 && top < innerHeight / 2";
    eventually("the result is in view", async || {
        (browser.run(top).await == true).then_some(())
    })
    .await;
    browser.resize(1280, 900).await;
    browser
        .wait_for_text("Caller +1 800 555 0102 does not equal the caller of the booking (…0199).")
        .await;
    browser
        .wait_for_text("The booking has no caller, so it fits only calls without one.")
        .await;
    eventually("the time until the end of the bookings", async || {
        let text = browser.text().await;
        let left = ["9 min", "8 min", "7 min"];
        left.iter().any(|time| text.contains(time)).then_some(())
    })
    .await;
    assert_fits_phone(&browser).await;
    inspect_page(&browser, "match-explanation-result").await;
    // Another caller matches.
    browser.fill("Caller number", "(800) 555-0101").await;
    browser.keys(&[Browser::ENTER]).await;
    browser.wait_for_text("Match: A match would take").await;
    browser
        .wait_for_text("A match would take this booking.")
        .await;
    let link = format!("a[href$='{}']", booked[0].id);
    let row = format!("return document.querySelector(\"{link}\").closest('tr').textContent");
    let row = browser.run(&row).await;
    assert!(row.as_str().unwrap().contains("Match"), "{row}");
    browser.follow(&booked[0].id).await;
    browser.wait_for_text("8005550101").await;
    assert_eq!(
        browser.path().await,
        format!("{HOME}/active-services/{}", booked[0].id)
    );
}

async fn an_empty_list_and_invalid_calls_are_explained(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(PAGE).await;
    assert!(
        page.contains("No failed matches in the last 7 days."),
        "{page}"
    );
    for (dialed, problem) in [
        ("", "_access_number is missing"),
        (&*"8".repeat(65), "_access_number has 65 bytes"),
    ] {
        let form = [("_access_number", dialed), ("_phone_number", "0199")];
        let response = session.submit_form(PAGE, &form).await;
        assert_eq!(response.status, 400, "{}", response.text());
        let page = page_html(&response);
        assert!(page.contains(problem), "{page}");
        assert!(page.contains("value=\"0199\""), "{page}");
    }
    let forged = session
        .submit_fields(PAGE, &[("_access_number", "1")])
        .await;
    assert_eq!(forged.status, 403, "{}", forged.text());
    let form = [
        ("_access_number", "1"),
        ("_phone_number", ""),
        ("_access_code", " "),
    ];
    let response = session.submit_form(PAGE, &form).await;
    let page = page_html(&response);
    for shown in [
        "No resource group has the number.",
        "No bookings of this number.",
    ] {
        assert!(page.contains(shown), "{page}");
    }
}

async fn failed_matches_are_text(app: TestApp) {
    let app = start_admin(&app).await;
    let hostile = json!({"_allocation_strategy": "LOCAL", "numbers": ["<b>1"]});
    create_entry(&app, "groups/hostile", &hostile).await;
    fail_to_match(&app, "_access_number=%3Cb%3E1&_phone_number=%3Ci%3E").await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(PAGE).await;
    assert!(!page.contains("<b>") && !page.contains("<i>"), "{page}");
    let link = "href=\"/genesys/1/admin/ui/match-explanation?_access_number=%3Cb%3E1\"";
    assert!(page.contains(link), "{page}");
    let page = session
        .page(&format!("{PAGE}?_access_number=%3Cb%3E1"))
        .await;
    assert!(page.contains("value=\"&#60;b&#62;1\""), "{page}");
}

async fn links_to_other_pages_keep_the_number(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    for _ in 0..2 {
        fail_to_match(&app, "_access_number=8001112222").await;
    }
    let page = format!("{PAGE}?_access_number=%2B1%20800&limit=1");
    let page = eventually("the list has another page", async || {
        let page = session.page(&page).await;
        page.contains("rel=\"next\"").then_some(page)
    })
    .await;
    let (_, link) = page.split_once("rel=\"next\" href=\"").unwrap();
    let link = link.split_once('"').unwrap().0.replace("&amp;", "&");
    let link = link.replace("&#38;", "&");
    assert!(link.ends_with("&_access_number=%2B1%20800"), "{link}");
    let (_, rest) = link.split_once(PAGE).unwrap();
    let page = session.page(&format!("{PAGE}{rest}")).await;
    assert!(page.contains("value=\"+1 800\""), "{page}");
    let first = "?limit=1&#38;_access_number=%2B1%20800\">First page";
    assert!(page.contains(first), "{page}");
}
