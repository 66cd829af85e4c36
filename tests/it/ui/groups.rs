//! *Resource groups* and the overview of them: how full they are, and who holds what.

use super::fixture::{AdminSession, all_between, between, page_html};
use crate::{
    admin::fixture::{
        create_entry, create_service, exclusive_group_options, request_interaction_options,
        start_admin,
    },
    support::{TestApp, eventually, on_every_kind_of_store},
};

on_every_kind_of_store!(
    the_list_tells_how_full_each_group_is,
    the_overview_tells_the_fullest_groups_and_how_many_there_are,
    what_cannot_be_asked_is_refused_and_nobody_is_said_to_hold_it,
);

/// The rows of a page's last table.
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

/// A group of two numbers, one of which is held.
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

async fn the_list_tells_how_full_each_group_is(app: TestApp) {
    let app = start_admin(&app).await;
    book_number(&app, "zebra").await;
    create_entry(
        &app,
        "groups/aloof",
        &exclusive_group_options(&["8005550003"]),
    )
    .await;
    let page = AdminSession::sign_in(&app).await.page("/groups").await;
    assert!(row(&page, "zebra").contains("1 of 2 held"), "{page}");
    assert!(row(&page, "aloof").contains("0 of 1 held"), "{page}");
}

async fn the_overview_tells_the_fullest_groups_and_how_many_there_are(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let page = desk.page("").await;
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
    // Which are the fullest is known when it has been looked, which is soon after a change.
    let page = eventually("the fullest group is among them", async || {
        let page = desk.page("").await;
        page.contains("<bdi>zebra</bdi>").then_some(page)
    })
    .await;
    assert!(row(&page, "zebra").contains("1 of 2 held"), "{page}");
    assert_eq!(rows(&page).len(), 12);
    assert!(
        page.contains(">14 groups</a>: those that were the fullest"),
        "{page}"
    );
}

async fn what_cannot_be_asked_is_refused_and_nobody_is_said_to_hold_it(app: TestApp) {
    let app = start_admin(&app).await;
    book_number(&app, "zebra").await;
    let desk = AdminSession::sign_in(&app).await;
    let endless = "8".repeat(1_000);
    let answer = desk.get(&format!("/groups/zebra?number={endless}")).await;
    assert_eq!(answer.status, 400);
    let page = page_html(&answer);
    let problem = between(page, "role=\"alert\">", "</p>");
    assert!(problem.contains("1000 bytes"), "{problem}");
    assert!(!page.contains("Nobody holds"), "{page}");
    let page = desk.page("/groups/zebra?number=8005550009").await;
    assert!(page.contains("Nobody holds this number."), "{page}");
}
