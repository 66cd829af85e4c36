//! *Resource groups*: usage, and the search of numbers.

use reqwest::Method;

use super::fixture::{
    AdminSession, HOME, all_between, between, hidden_fields, page_html, redirect_target,
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, get, import,
        request_interaction_options, start_admin,
    },
    support::{Bodies, TestApp, TestResponse, encode, eventually, on_redis_only},
};

on_redis_only!(
    list_shows_the_usage_of_each_group,
    overview_shows_the_most_used_groups_and_their_total_number,
    invalid_number_in_search_is_rejected,
    groups_are_found_by_a_number_in_any_notation,
    a_release_leads_back_to_the_page_of_the_list,
);

/// The rows of the last table of a page.
fn rows(page: &str) -> Vec<&str> {
    let table = page.rsplit_once("<tbody>").unwrap().1;
    all_between(table, "<tr>", "</tr>")
}

fn row<'a>(page: &'a str, group: &str) -> &'a str {
    let named = format!("<bdi>{group}</bdi>");
    let mut rows = rows(page).into_iter();
    let found = rows.find(|row| row.contains(&named));
    found.unwrap_or_else(|| panic!("no {group} in {page}"))
}

/// Creates a group of two numbers and books one.
async fn book_number(app: &TestApp, group: &str) {
    let path = format!("groups/{group}");
    create_entry(
        app,
        &path,
        &exclusive_group_options(&["8005550001", "8005550002"]),
    )
    .await;
    create_entry(app, "services/call", &request_interaction_options(group)).await;
    create_service(app, "call").await.service_id();
}

async fn list_shows_the_usage_of_each_group(app: TestApp) {
    let app = start_admin(&app).await;
    book_number(&app, "zebra").await;
    create_entry(
        &app,
        "groups/aloof",
        &exclusive_group_options(&["8005550003"]),
    )
    .await;
    let page = AdminSession::sign_in(&app).await.page("/groups").await;
    assert!(
        row(&page, "zebra").contains("1 / 2 in use (50 %)"),
        "{page}"
    );
    assert!(row(&page, "aloof").contains("0 / 1 in use (0 %)"), "{page}");
    assert!(!page.contains("exhausted"), "{page}");
    create_service(&app, "call").await.service_id();
    let page = AdminSession::sign_in(&app).await.page("/groups").await;
    let expected = "2 / 2 in use (100 %) <strong class=\"exhausted\">exhausted</strong>";
    assert!(row(&page, "zebra").contains(expected), "{page}");
    // Bookings of shared numbers are not counted.
    let shared = row(&page, "DNIS");
    assert!(
        shared.contains("not counted, services share the numbers"),
        "{shared}"
    );
    assert!(!shared.contains("in use"), "{shared}");
}

async fn groups_are_found_by_a_number_in_any_notation(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(
        &app,
        "groups/one",
        &exclusive_group_options(&["8005100005"]),
    )
    .await;
    create_entry(
        &app,
        "groups/two",
        &exclusive_group_options(&["8005100006"]),
    )
    .await;
    let session = AdminSession::sign_in(&app).await;
    for query in [
        "8005100005",
        "(800) 510-0005",
        "+1 800 510 0005",
        "510-0005",
    ] {
        let page = session.page(&format!("/groups?q={}", encode(query))).await;
        assert!(page.contains("<bdi>one</bdi>"), "{query}: {page}");
        assert!(!page.contains("<bdi>two</bdi>"), "{query}: {page}");
    }
    let page = session.page("/groups?q=510-000x").await;
    assert!(page.contains("No resource groups found."), "{page}");
}

async fn a_release_leads_back_to_the_page_of_the_list(app: TestApp) {
    let app = start_admin(&app).await;
    book_number(&app, "zebra").await;
    create_service(&app, "call").await.service_id();
    let session = AdminSession::sign_in(&app).await;
    let list = "/groups/zebra?state=booked&sort=-number&limit=1&offset=1";
    let page = session.page(list).await;
    let form = between(&page, "/groups/zebra/release\">", "</form>");
    let fields = hidden_fields(form);
    let mut fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let released = session
        .submit_fields("/groups/zebra/release", &fields)
        .await;
    assert_eq!(
        redirect_target(&released),
        format!("{list}&message=released")
    );
    let page = session.page(redirect_target(&released)).await;
    assert!(page.contains("Number released"), "{page}");
    // Released meanwhile: the error leads back to the list.
    let form: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let again = session.request(Method::POST, "/groups/zebra/release");
    let again = again.header("referer", app.url(&format!("{HOME}{list}")));
    let again = TestResponse::send(again.form_body(&form.join("&"))).await;
    assert_eq!(again.status, 404);
    let back = between(
        page_html(&again),
        "href=\"/genesys/1/admin/ui/groups/zebra",
        "</a>",
    );
    assert!(back.ends_with("Back to the previous page"), "{back}");
    // Other targets are not followed.
    for field in &mut fields {
        if field.0 == "back" {
            field.1 = "https://elsewhere/genesys/1/admin/ui";
        }
    }
    create_service(&app, "call").await.service_id();
    let page = session.page("/groups/zebra?state=booked").await;
    let ids = all_between(&page, "name=\"booking\" value=\"", "\"");
    for field in &mut fields {
        if field.0 == "booking" {
            field.1 = ids[0];
        }
    }
    let released = session
        .submit_fields("/groups/zebra/release", &fields)
        .await;
    assert_eq!(redirect_target(&released), "/groups/zebra?message=released");
}

async fn overview_shows_the_most_used_groups_and_their_total_number(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("").await;
    assert!(!page.contains("groups</a>:"), "{page}");
    book_number(&app, "zebra").await;
    for n in 0..12 {
        let path = format!("groups/aloof-{n:02}");
        create_entry(
            &app,
            &path,
            &exclusive_group_options(&[&format!("80055501{n:02}")]),
        )
        .await;
    }
    // Groups are sampled soon after a change of the catalog, so maybe before the last one.
    let page = eventually("the overview shows the most used groups", async || {
        let page = session.page("").await;
        let is_there = page.contains("<bdi>zebra</bdi>")
            && page.contains(">14 groups</a>")
            && rows(&page).len() == 12;
        is_there.then_some(page)
    })
    .await;
    assert!(
        row(&page, "zebra").contains("1 / 2 in use (50 %)"),
        "{page}"
    );
    assert!(rows(&page)[0].contains("<bdi>zebra</bdi>"), "{page}");
    assert!(page.contains(">14 groups</a>: highest usage"), "{page}");
}

async fn invalid_number_in_search_is_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    book_number(&app, "zebra").await;
    let session = AdminSession::sign_in(&app).await;
    let endless = "8".repeat(1_000);
    let response = session
        .get(&format!("/groups/zebra?number={endless}"))
        .await;
    assert_eq!(response.status, 400);
    let page = page_html(&response);
    let problem = between(page, "role=\"alert\">", "</p>");
    assert!(problem.contains("1000 bytes"), "{problem}");
    assert!(!page.contains("No numbers"), "{page}");
    let page = session.page("/groups/zebra?number=8005550009").await;
    assert!(page.contains("No numbers found."), "{page}");
}

#[tokio::test]
async fn each_page_shows_the_usage_of_its_groups() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let group =
        |n| format!("[resources.\"{n:04}\"]\n_allocation_strategy = 'LOCAL'\nnumbers = []\n");
    let groups: String = (0..1_001).map(group).collect();
    let version = get(&app, "catalog").await.header("etag").to_owned();
    let imported = import(&app, Method::POST, &version, &groups).await;
    assert_eq!(imported.status, 200, "{}", imported.text());
    let session = AdminSession::sign_in(&app).await;
    for (path, range, group) in [
        ("/groups?limit=100", "1-100 of 1,002", "0000"),
        (
            "/groups?offset=1000&limit=100",
            "1,001-1,002 of 1,002",
            "1000",
        ),
        ("/groups?sort=-name&limit=100", "1-100 of 1,002", "DNIS"),
        ("/groups?sort=usage&limit=100", "1-100 of 1,002", "DNIS"),
    ] {
        let page = session.page(path).await;
        assert!(page.contains(range), "{path}: {page}");
        let row = between(&page, &format!("<bdi>{group}</bdi>"), "</tr>");
        // Sorted by usage, only the first 1,000 groups by name are read.
        let has_usage = !path.contains("usage");
        let usage = if group == "DNIS" {
            "services share"
        } else {
            " in use"
        };
        assert_eq!(row.contains(usage), has_usage, "{path}: {row}");
        assert_eq!(row.contains("<td>–</td>"), !has_usage, "{path}: {row}");
        let notice = "the usage of the first 1,000 groups by name";
        assert_eq!(page.contains(notice), !has_usage, "{path}: {page}");
    }
}
