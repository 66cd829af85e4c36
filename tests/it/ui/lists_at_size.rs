//! Lists of a large store, over HTTP and in a browser.

use super::{
    browser_fixture::{HOME, sign_in},
    fixture::{AdminSession, id_of, listed_ids, next_page, service_page},
    large_fixture::{LargeFixture, RARE, RARE_DEFINITION, SERVICES},
};
use crate::{
    api::admin::fixture::audit_actions,
    support::{browser::Browser, encode, eventually},
};

#[tokio::test]
async fn large_lists_are_searched_sorted_and_changed() {
    let fixture = LargeFixture::start().await;
    let session = AdminSession::sign_in(&fixture.app).await;
    catalog_lists_have_pages(&session).await;
    search_of_services_continues(&session).await;
    number_is_found_by_its_booking(&fixture, &session).await;
    let browser = Browser::open().await;
    sign_in(&browser, &fixture.app).await;
    pages_fit_on_phones_and_in_the_dark(&fixture, &browser).await;
    tables_scroll_and_sort_with_the_keyboard(&fixture, &browser).await;
    all_of_a_page_are_selected_and_deleted(&fixture, &browser).await;
}

async fn catalog_lists_have_pages(session: &AdminSession<'_>) {
    let page = session.page("/services?sort=-name&limit=100").await;
    assert!(page.contains("1-100 of 30"), "{page}");
    let page = session.page("/services?q=Definition-29").await;
    assert!(page.contains("1-10 of 10"), "{page}");
    assert!(
        page.contains(&format!("title=\"{RARE_DEFINITION}\"")),
        "{page}"
    );
    let page = session.page("/services?source=file").await;
    assert!(!page.contains("definition-0"), "{page}");
    let page = session.page("/groups").await;
    assert!(page.contains("1-50 of 51"), "{page}");
    assert!(page.contains("0 / 100 in use (0 %)"), "{page}");
    let page = session.page(&next_page(&page).unwrap()).await;
    assert!(page.contains("51-51 of 51"), "{page}");
    let page = session.page("/groups?sort=-usage&limit=25").await;
    let first = page.split_once("<tbody>").unwrap().1;
    assert!(first.find("group-49") < first.find("group-00"), "{page}");
    let page = session.page("/groups?q=8005550100").await;
    assert!(
        page.contains("1-1 of 1") && page.contains("group-01"),
        "{page}"
    );
}

async fn search_of_services_continues(session: &AdminSession<'_>) {
    let page = session.page("/active-services?limit=100").await;
    assert_eq!(listed_ids(&page).len(), 100);
    assert!(page.contains("1-100 of about 20,0"), "{page}");
    let page = session.page(&next_page(&page).unwrap()).await;
    assert!(page.contains("101-200 of about 20,0"), "{page}");
    let mut path = format!("/active-services?service={RARE_DEFINITION}&gms_user=ada");
    let (mut found, mut requests) = (Vec::new(), 0);
    loop {
        let page = session.page(&path).await;
        found.extend(listed_ids(&page));
        requests += 1;
        let Some(next) = next_page(&page) else { break };
        assert!(page.contains("searched 5,000 services"), "{page}");
        assert!(page.contains(">Continue</a>"), "{page}");
        path = next;
    }
    assert_eq!(found.len(), RARE);
    assert_eq!(requests, SERVICES / 5_000 + 1, "one service has a number");
    let latest = format!("/active-services?service={RARE_DEFINITION}&sort=-expires_at&limit=3");
    let mut page = listed_ids(&session.page(&latest).await);
    page.reverse();
    assert_eq!(page, found, "the latest first");
    let page = session
        .get(&format!("/active-services?id={}", &found[0][..18]))
        .await;
    assert_eq!(page.status, 200, "the first 5,000 do not contain it");
    assert!(page.text().contains(">Continue</a>"), "{}", page.text());
}

async fn number_is_found_by_its_booking(fixture: &LargeFixture, session: &AdminSession<'_>) {
    let number = encode(&fixture.booked.number);
    let id = id_of(&fixture.booked.service_path());
    let page = session
        .page(&format!("/active-services?number={number}"))
        .await;
    assert_eq!(listed_ids(&page), std::slice::from_ref(&id));
    let page = session.page(&format!("/bookings?number={number}")).await;
    assert!(
        page.contains(&id) && page.contains("<bdi>group-49</bdi>"),
        "{page}"
    );
    let page = session.page("/bookings?group=group-49").await;
    assert!(page.contains("1-1 of about 1"), "{page}");
    let before = LargeFixture::before_first().to_string();
    let page = session
        .page(&format!(
            "/active-services?expires_before={}",
            encode(&before)
        ))
        .await;
    assert!(listed_ids(&page).len() <= 1, "{page}");
    let log = session.page("/audit-log?q=none").await;
    assert!(log.contains("No changes found."), "{log}");
    let log = session
        .page("/audit-log?q=group-49&action=create&user=ADM")
        .await;
    assert!(log.contains("<bdi>group-49</bdi>"), "{log}");
    drop(
        session
            .page(&service_page(&fixture.booked.service_path()))
            .await,
    );
}

const LISTS: [&str; 7] = [
    "/services?limit=100",
    "/groups?sort=-usage",
    "/active-services?limit=100",
    "/active-services?service=definition-007&gms_user=bob",
    "/active-services?gms_user=no-such-user",
    "/bookings",
    "/audit-log?limit=25",
];

async fn pages_fit_on_phones_and_in_the_dark(fixture: &LargeFixture, browser: &Browser) {
    for list in LISTS {
        let url = fixture.app.url(&format!("{HOME}{list}"));
        browser.goto(&url).await;
        for scheme in ["light", "dark"] {
            browser.set_color_scheme(scheme).await;
            for (width, height) in [(390, 844), (640, 512), (1280, 900)] {
                browser.resize(width, height).await;
                if width < 700 {
                    browser.goto(&url).await;
                    assert_menu_is_one_row(browser, list).await;
                }
                browser.inspect(&format!("{list}, {scheme}, {width}")).await;
            }
        }
        // Every table is in a region that the keyboard can scroll.
        let regions = "return [...document.querySelectorAll('main table')].every((one) => one.closest('[role=region][tabindex=\"0\"][aria-label]'))";
        assert_eq!(browser.run(regions).await, true, "{list}");
    }
    browser.set_color_scheme("light").await;
}

/// The menu of a small screen scrolls, and shows the current page.
async fn assert_menu_is_one_row(browser: &Browser, list: &str) {
    let script = "const nav = document.querySelector('header nav'), link = nav.querySelector('[aria-current]'); \
                  const outer = nav.getBoundingClientRect(), inner = link.getBoundingClientRect(); \
                  return [document.querySelector('header').offsetHeight, \
                  inner.left >= outer.left - 1 && inner.right <= outer.right + 1]";
    let found = browser.run(script).await;
    // Two rows of text; with a menu of several rows it has 270 pixels.
    assert!(found[0].as_i64().unwrap() < 200, "{list}: {found}");
    assert_eq!(found[1], true, "{list}");
}

async fn tables_scroll_and_sort_with_the_keyboard(fixture: &LargeFixture, browser: &Browser) {
    browser
        .goto(&fixture.app.url(&format!("{HOME}/services")))
        .await;
    let focus = "document.querySelector('th a.sort').focus(); return document.querySelector('th').getAttribute('aria-sort')";
    assert_eq!(browser.run(focus).await, "ascending");
    browser.keys(&[Browser::ENTER]).await;
    eventually("the order is reversed", async || {
        let order = "return document.querySelector('th').getAttribute('aria-sort')";
        (browser.run(order).await == "descending").then_some(())
    })
    .await;
    browser.fill("Name", "definition-29").await;
    browser.keys(&[Browser::ENTER]).await;
    browser.wait_for_text("1-10 of 10").await;
    let query = browser.run("return location.search").await;
    let query = query.as_str().unwrap();
    assert!(
        query.contains("q=definition-29") && query.contains("sort=-name"),
        "{query}"
    );
    // A long name is cut, with the whole as the title.
    let cut = format!(
        "const one = document.querySelector('[title=\"{RARE_DEFINITION}\"]'); return one.scrollWidth > one.clientWidth"
    );
    assert_eq!(browser.run(&cut).await, true);
}

async fn all_of_a_page_are_selected_and_deleted(fixture: &LargeFixture, browser: &Browser) {
    let list = format!("{HOME}/active-services?gms_user=bob&limit=25");
    browser.goto(&fixture.app.url(&list)).await;
    let copy = "const copy = document.querySelector('button.copy'); return !copy.hidden && copy.dataset.copyText.length === 36";
    assert_eq!(browser.run(copy).await, true);
    browser
        .run("document.querySelector('[data-select-all]').focus()")
        .await;
    browser.keys(&[" "]).await;
    browser.wait_for_text("25 selected").await;
    browser.press("Delete…").await;
    browser.wait_for_text("Delete 25 services?").await;
    browser.inspect("the confirmation").await;
    browser.press("Delete 25 services").await;
    browser
        .wait_for_text("25 done, 0 already gone, 0 failed")
        .await;
    browser.inspect("the result").await;
    browser.follow("Back to the list").await;
    browser.wait_for_text("found on this page").await;
    let query = browser.run("return location.search").await;
    assert_eq!(query, "?gms_user=bob&limit=25");
    let deleted = audit_actions(&fixture.app).await;
    let deleted = deleted
        .iter()
        .filter(|action| action.starts_with("delete active service"));
    assert_eq!(deleted.count(), 25);
}
