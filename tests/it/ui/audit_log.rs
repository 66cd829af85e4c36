//! *History*: who did what.

use serde_json::json;

use super::fixture::{AdminSession, all_between, between, escaped};
use crate::{
    admin::fixture::{
        create_entry, create_service, delete_entry, replace_entry, start_admin, store_options,
    },
    support::{TestApp, on_every_kind_of_store},
};

on_every_kind_of_store!(
    where_nothing_was_done_it_says_what_will_be_told,
    it_tells_who_did_what_to_which_and_when_from_what_to_what,
    it_is_read_a_page_at_a_time_back_to_its_beginning,
);

/// The rows of the table.
fn rows(page: &str) -> Vec<&str> {
    let table = between(page, "<tbody>", "</tbody>");
    all_between(table, "<tr>", "</tr>")
}

async fn where_nothing_was_done_it_says_what_will_be_told(app: TestApp) {
    let app = start_admin(&app).await;
    let page = AdminSession::sign_in(&app).await.page("/audit-log").await;
    assert!(page.contains("Nobody has changed anything yet."), "{page}");
}

async fn it_tells_who_did_what_to_which_and_when_from_what_to_what(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let mut longer = store_options();
    longer["_ttl"] = json!(60);
    longer["password"] = json!("sesame");
    replace_entry(&app, "services/cart", &longer).await;
    delete_entry(&app, "services/cart").await;
    let service = create_service(&app, "store").await.service_id();
    let id = service.rsplit('/').next().unwrap();
    let desk = AdminSession::sign_in(&app).await;
    desk.submit_form(&format!("/active-services/{id}"), &[("act", "delete")])
        .await;
    let page = desk.page("/audit-log").await;
    assert!(!page.contains("sesame"), "a secret is told");
    let rows = rows(&page);
    let told = |n: usize, expected: &[&str]| {
        for expected in expected {
            let row: &str = rows[n];
            assert!(row.contains(expected), "no {expected} in {row}");
        }
    };
    let link = format!("<a href=\"/genesys/1/admin/ui/active-services/{id}\"><bdi>{id}</bdi></a>");
    told(0, &["<td>end</td>", &link, "<summary>Before</summary>"]);
    told(
        1,
        &[
            "<td>delete</td>",
            "<a href=\"/genesys/1/admin/ui/services/cart\"><bdi>cart</bdi></a>",
            "<summary>Before</summary>",
        ],
    );
    told(2, &["<td>replace</td>", "Before and after"]);
    told(3, &["<td>create</td>", "<summary>After</summary>"]);
    assert_eq!(rows.len(), 4);
    let before = between(rows[2], "<h3>Before</h3><pre>", "</pre>");
    let after = between(rows[2], "<h3>After</h3><pre>", "</pre>");
    assert!(!before.contains("_ttl"), "{before}");
    let told_ttl = escaped("  \"_ttl\": \"60\"");
    assert!(after.contains(&told_ttl), "{after}");
    for row in rows {
        assert!(row.contains("<bdi>admin</bdi>"), "{row}");
        assert!(row.contains("<bdi>127.0.0.1</bdi>"), "{row}");
        assert!(row.contains("<details>"), "{row}");
        let at = between(row, "<time datetime=\"", "\"");
        assert!(switchboard::store::Timestamp::parse(at).is_some(), "{at}");
    }
}

async fn it_is_read_a_page_at_a_time_back_to_its_beginning(app: TestApp) {
    let app = start_admin(&app).await;
    for n in 0..7 {
        create_entry(&app, &format!("services/s{n}"), &store_options()).await;
    }
    let desk = AdminSession::sign_in(&app).await;
    let (mut names, mut path) = (Vec::new(), "/audit-log?limit=3".to_owned());
    loop {
        let page = desk.page(&path).await;
        assert_eq!(page.contains("First page"), !names.is_empty());
        let here = rows(&page).into_iter().map(|row| {
            let name = between(row, "<td>service <a href=", "</a>");
            let name = between(name, "<bdi>", "</bdi>");
            name.to_owned()
        });
        names.extend(here);
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"/genesys/1/admin/ui") else {
            break;
        };
        path = next.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    let expected: Vec<String> = (0..7).rev().map(|n| format!("s{n}")).collect();
    assert_eq!(names, expected);
}
