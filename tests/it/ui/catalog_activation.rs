//! Notices say on which replicas a saved catalog is active.

use std::sync::Arc;

use super::fixture::AdminSession;
use crate::{
    api::admin::{
        fixture::{ADMIN_SETTINGS, create_entry, start_replica, store_options},
        replicas::url_without_pubsub,
    },
    support::{TestApp, TestRedis, eventually, random_prefix},
};

/// The pages with notices after a change.
const PAGES: [&str; 3] = [
    "/services/cart?message=saved",
    "/catalog?message=imported&new=1",
    "/catalog?message=restored",
];

#[tokio::test]
async fn notices_count_the_replicas_that_are_up_to_date() {
    let redis = Arc::new(TestRedis::dedicated());
    let one = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &ADMIN_SETTINGS).await;
    create_entry(&one, "services/cart", &store_options()).await;
    let session = AdminSession::sign_in(&one).await;
    for path in PAGES {
        let page = session.page(path).await;
        assert!(page.contains(" Active on this replica.</p>"), "{page}");
    }
    // A replica that is not notified of changes.
    let url = url_without_pubsub(&redis).await;
    let settings = [
        ("redis.url", url.as_str()),
        ("catalog.poll_seconds", "3600"),
    ];
    let other = start_replica(&one, &settings).await;
    let other_session = session.on(&other);
    for path in PAGES {
        eventually("both replicas have the catalog", async || {
            let page = session.page(path).await;
            page.contains(" Active on all 2 replicas.</p>")
                .then_some(())
        })
        .await;
    }
    create_entry(&one, "services/cart-2", &store_options()).await;
    for path in PAGES {
        let page = session.page(path).await;
        assert!(
            page.contains(" Active on this replica, and on 1 of 2 in all;"),
            "{page}"
        );
        let page = other_session.page(path).await;
        assert!(page.contains(" Not active on this replica yet;"), "{page}");
    }
}
