//! *Audit log*.

use serde_json::json;

use super::{
    browser_fixture::{BrowserFixture, HOME},
    fixture::{AdminSession, all_between, between, escaped, next_page},
};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, delete_entry, replace_entry, start_admin, store_options,
    },
    support::{TestApp, on_redis_only},
};

on_redis_only!(
    empty_audit_log_explains_its_content,
    audit_log_shows_time_user_action_target_and_changes,
    audit_log_is_paginated,
);

/// Rows of the table.
fn rows(page: &str) -> Vec<&str> {
    let table = between(page, "<tbody>", "</tbody>");
    all_between(table, "<tr>", "</tr>")
}

async fn empty_audit_log_explains_its_content(app: TestApp) {
    let app = start_admin(&app).await;
    let page = AdminSession::sign_in(&app).await.page("/audit-log").await;
    assert!(page.contains("No changes recorded yet."), "{page}");
}

async fn audit_log_shows_time_user_action_target_and_changes(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let mut longer = store_options();
    longer["_ttl"] = json!(60);
    longer["password"] = json!("sesame");
    replace_entry(&app, "services/cart", &longer).await;
    delete_entry(&app, "services/cart").await;
    let service = create_service(&app, "store").await.service_id();
    let id = service.rsplit('/').next().unwrap();
    let session = AdminSession::sign_in(&app).await;
    session
        .submit_form(&format!("/active-services/{id}"), &[("action", "delete")])
        .await;
    let page = session.page("/audit-log").await;
    assert!(!page.contains("sesame"), "the page contains a secret");
    let rows = rows(&page);
    let assert_row = |n: usize, expected: &[&str]| {
        for expected in expected {
            let row: &str = rows[n];
            assert!(row.contains(expected), "no {expected} in {row}");
        }
    };
    let link = format!("<a href=\"/genesys/1/admin/ui/active-services/{id}\"><bdi>{id}</bdi></a>");
    assert_row(0, &["<td>delete</td>", &link, "<summary>Before</summary>"]);
    assert_row(
        1,
        &[
            "<td>delete</td>",
            "<a href=\"/genesys/1/admin/ui/services/cart\"><bdi>cart</bdi></a>",
            "<summary>Before</summary>",
        ],
    );
    assert_row(2, &["<td>replace</td>", "Before and after"]);
    assert_row(3, &["<td>create</td>", "<summary>After</summary>"]);
    assert_eq!(rows.len(), 4);
    let before = between(rows[2], "<p class=\"faint\">Before</p><pre>", "</pre>");
    let after = between(rows[2], "<p class=\"faint\">After</p><pre>", "</pre>");
    assert!(!before.contains("_ttl"), "{before}");
    let ttl_member = escaped("  \"_ttl\": \"60\"");
    assert!(after.contains(&ttl_member), "{after}");
    for row in rows {
        assert!(row.contains("<bdi>admin</bdi>"), "{row}");
        assert!(row.contains("<bdi>127.0.0.1</bdi>"), "{row}");
        assert!(row.contains("<details>"), "{row}");
        let time = between(row, "<time datetime=\"", "\"");
        assert!(
            switchboard::model::Timestamp::parse(time).is_some(),
            "{time}"
        );
    }
}

async fn audit_log_is_paginated(app: TestApp) {
    let app = start_admin(&app).await;
    for n in 0..7 {
        create_entry(&app, &format!("services/s{n}"), &store_options()).await;
    }
    let session = AdminSession::sign_in(&app).await;
    let (mut names, mut path) = (Vec::new(), "/audit-log?limit=3".to_owned());
    loop {
        let page = session.page(&path).await;
        assert_eq!(page.contains("First page"), !names.is_empty());
        let page_names = rows(&page).into_iter().map(|row| {
            let name = between(row, "<td>service <span", "</a>");
            let name = between(name, "<bdi>", "</bdi>");
            name.to_owned()
        });
        names.extend(page_names);
        let Some(next) = next_page(&page) else {
            break;
        };
        path = next;
    }
    let expected: Vec<String> = (0..7).rev().map(|n| format!("s{n}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn changes_pass_the_accessibility_checks() {
    let fixture = BrowserFixture::on_redis().await;
    create_entry(&fixture.app, "services/cart", &store_options()).await;
    // Values that are wider than their region.
    let mut changed = store_options();
    changed["note"] = json!("a rather long text without an end ".repeat(20));
    replace_entry(&fixture.app, "services/cart", &changed).await;
    delete_entry(&fixture.app, "services/cart").await;
    let browser = fixture.open_signed_in().await;
    let page = fixture.app.url(&format!("{HOME}/audit-log"));
    browser.goto(&page).await;
    // The inspection opens all folds.
    for summary in ["Before and after", "Before", "After"] {
        browser.expand(summary).await;
    }
    let open = "return [...document.querySelectorAll('details[open] > summary')].map((one) => one.textContent).join()";
    let open = browser.run(open).await;
    assert_eq!(open, "Before,Before and after,After");
    for scheme in ["light", "dark"] {
        browser.set_color_scheme(scheme).await;
        for width in [1_280, 390] {
            browser.resize(width, 900).await;
            let page = format!("an audit log with open changes, {scheme}, {width}");
            browser.inspect(&page).await;
        }
    }
}
