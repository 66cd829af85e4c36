//! The page *API reference*: search.

use super::fixture::{AdminSession, all_between};
use crate::{
    api::admin::fixture::ADMIN_SETTINGS,
    support::{TestApp, random_prefix},
};

#[tokio::test]
async fn search_finds_operations_by_all_words() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let session = AdminSession::sign_in(&app).await;
    let found = session.page("/api?q=storage+CLEAR").await;
    assert!(found.contains("id=\"clearStorage\" open"), "{found}");
    assert!(!found.contains("id=\"createService\""));
    assert!(!found.contains("<h2 id=\"schemas\">"));
    let none = session.page("/api?q=%3Cscript%3E").await;
    assert!(none.contains("0 operations found."), "{none}");
    assert!(!none.contains("value=\"<script>"), "{none}");
    let all = session.page("/api").await;
    assert!(!all.contains("operations found"), "{all}");
    // Code spans of the descriptions are elements.
    for (from, to) in [("<p>", "</p>"), ("<dd>", "</dd>")] {
        let texts = all_between(&all, from, to);
        assert!(texts.iter().any(|text| text.contains("<code>")), "{from}");
        assert!(!texts.iter().any(|text| text.contains('`')), "{texts:?}");
    }
    assert!(all.contains("<h2 id=\"schemas\">"));
}

#[tokio::test]
async fn search_finds_parameters_fields_errors_and_status_codes() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let session = AdminSession::sign_in(&app).await;
    for (query, found, other) in [
        ("_ttl", "createService", "readStorage"),
        ("match-interaction", "createService", "readStorage"),
        ("transcriptPosition", "streamChat", "readStorage"),
        ("idempotency-key", "createStorageArea", "readStorage"),
        ("412", "putGroup", "createService"),
        ("preconditionrequired", "mergeCatalog", "readStorage"),
        ("rate_limited_until", "explainMatch", "listFailedMatches"),
    ] {
        let page = session.page(&format!("/api?q={query}")).await;
        assert!(page.contains(&format!("id=\"{found}\"")), "{query}: {page}");
        assert!(!page.contains(&format!("id=\"{other}\"")), "{query}");
    }
}

#[tokio::test]
async fn operations_are_in_the_order_of_use_and_tags_have_links() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    for in_order in [
        &[
            "createService",
            "getService",
            "setExpiration",
            "deleteService",
        ][..],
        &[
            "writeStorage",
            "readStorage",
            "clearStorage",
            "readKey",
            "deleteKey",
        ],
        &["createStorageArea", "readStorageArea", "deleteStorageArea"],
        &["listGroups", "putGroup", "readGroup", "deleteGroup"],
    ] {
        let start = |id: &&str| page.find(&format!("id=\"{id}\"")).unwrap();
        assert!(in_order.iter().map(start).is_sorted(), "{in_order:?}");
    }
    let links: Vec<&str> = page.split("href=\"#").skip(1).collect();
    let tags = links.iter().map(|link| link.split('"').next().unwrap());
    let tags: Vec<&str> = tags.filter(|name| name.starts_with("tag-")).collect();
    assert!(tags.len() > 10, "{tags:?}");
    for tag in tags {
        assert!(page.contains(&format!("id=\"{tag}\"")), "{tag}");
    }
    // The schemas are folded.
    assert!(page.contains(" schemas</summary>"), "{page}");
}
