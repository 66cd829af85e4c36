//! Search, filters, sorting and page sizes of lists.

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::fixture::{AdminSession, all_between, between, next_page, page_html};
use crate::{
    api::admin::fixture::{
        create_entry, create_service, exclusive_group_options, request_interaction_options,
        start_admin, store_options,
    },
    support::{TestApp, encode, on_redis_only},
};

on_redis_only!(
    view_of_a_list_stands_in_its_url,
    hostile_filters_are_text,
    invalid_parameters_of_lists_are_rejected,
);

/// The names in a list of the catalog, in order.
fn names(page: &str) -> Vec<&str> {
    let table = between(page, "<tbody>", "</tbody>");
    all_between(table, "<bdi>", "</bdi>")
}

async fn view_of_a_list_stands_in_its_url(app: TestApp) {
    let app = start_admin(&app).await;
    for n in 0..30 {
        create_entry(&app, &format!("services/cart-{n:02}"), &store_options()).await;
    }
    create_entry(
        &app,
        "groups/zebra",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    let session = AdminSession::sign_in(&app).await;
    let mut path = "/services?q=CART&source=console&status=active&sort=-name&limit=25".to_owned();
    let mut found = Vec::new();
    for range in ["1-25 of 30", "26-30 of 30"] {
        let page = session.page(&path).await;
        assert!(page.contains(range), "{page}");
        // The form keeps filters, order and page size.
        for field in [
            "name=\"q\" value=\"CART\"",
            "<option value=\"console\" selected>",
            "name=\"sort\" value=\"-name\"",
            "name=\"limit\" value=\"25\"",
            "aria-sort=\"descending\"",
        ] {
            assert!(page.contains(field), "no {field} in {page}");
        }
        found.extend(names(&page).into_iter().map(str::to_owned));
        path = next_page(&page).unwrap_or_default();
    }
    let expected: Vec<String> = (0..30).rev().map(|n| format!("cart-{n:02}")).collect();
    assert_eq!((found, path), (expected, String::new()));
    let page = session.page("/groups?q=55500").await;
    assert_eq!(names(&page), ["zebra"], "by its number");
    let page = session.page("/groups?type=RANDOM").await;
    assert!(!page.contains("<bdi>zebra</bdi>"), "{page}");
    let page = session.page("/services?q=none").await;
    assert!(page.contains("No service definitions found."), "{page}");
    assert!(
        page.contains("href=\"/genesys/1/admin/ui/services\">Show all"),
        "{page}"
    );
}

async fn hostile_filters_are_text(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let hostile = "\"><img src=x onerror=alert(1)>";
    for path in [
        "/services?q=",
        "/groups?q=",
        "/active-services?gms_user=",
        "/active-services?service=",
        "/bookings?number=",
        "/audit-log?q=",
    ] {
        let response = session.get(&format!("{path}{}", encode(hostile))).await;
        assert_eq!(response.status, 200, "{path}");
        let page = page_html(&response);
        assert!(!page.contains("<img src=x"), "{path}: {page}");
    }
}

async fn invalid_parameters_of_lists_are_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let long = "x".repeat(257);
    for path in [
        "/services",
        "/groups",
        "/active-services",
        "/bookings",
        "/audit-log",
    ] {
        for wrong in ["sort=other", "limit=0", "limit=101", "offset=-1"] {
            let response = session.get(&format!("{path}?{wrong}")).await;
            assert_eq!(response.status, 400, "{path} {wrong}");
            assert!(
                page_html(&response).contains("role=\"alert\""),
                "{path} {wrong}"
            );
        }
    }
    for path in [
        format!("/services?q={long}"),
        format!("/bookings?number={}", "8".repeat(65)),
        "/bookings?after=x".to_owned(),
        "/active-services?expires_before=soon".to_owned(),
        "/audit-log?after=x".to_owned(),
    ] {
        assert_eq!(session.get(&path).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn bookings_of_a_number_beyond_the_maximum_are_found_by_their_group() {
    let app = start_admin(&TestApp::on_memory().await).await;
    for group in ["busy", "quiet"] {
        // The bookings must not expire while others are created.
        let options = json!({
            "_allocation_strategy": "ROUND_ROBIN",
            "_booking_expiration_timeout": "1800",
            "numbers": ["8005550001"],
        });
        create_entry(&app, &format!("groups/{group}"), &options).await;
        let options = request_interaction_options(group);
        create_entry(&app, &format!("services/{group}"), &options).await;
    }
    let created = stream::iter(0..5_001).map(|_| create_service(&app, "busy"));
    let mut created = created.buffer_unordered(32);
    while let Some(response) = created.next().await {
        response.service_id();
    }
    create_service(&app, "quiet").await.service_id();
    let session = AdminSession::sign_in(&app).await;
    let notice = "more than 5,000 bookings; only these were read";
    let page = session.page("/bookings?number=8005550001").await;
    assert!(page.contains("1-50 of 5,000"), "{page}");
    assert!(page.contains(notice), "{page}");
    let page = session
        .page("/bookings?number=8005550001&group=quiet")
        .await;
    assert!(page.contains("1-1 of 1"), "{page}");
    assert!(!page.contains(notice), "{page}");
}
