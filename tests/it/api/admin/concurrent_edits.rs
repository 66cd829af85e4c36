//! Preconditions of concurrent changes.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::fixture::{
    audit_actions, create_entry, exclusive_group_options, get, get_json, put, put_if_match,
    replace_entry, request, start_admin, store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    second_editor_gets_a_conflict,
    replace_and_delete_require_a_precondition,
    concurrent_creates_of_a_name_have_one_winner,
    concurrent_groups_with_the_same_number_have_one_winner,
);

async fn second_editor_gets_a_conflict(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let etag = get(&app, "services/cart").await.header("etag").to_owned();
    let with_ttl = |ttl: u32| {
        let mut options = store_options();
        options["_ttl"] = json!(ttl);
        options
    };
    let first = put_if_match(&app, "services/cart", &etag, &with_ttl(10)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let second = put_if_match(&app, "services/cart", &etag, &with_ttl(20)).await;
    let message = second.error_message("PreconditionFailed", 412);
    assert!(message.contains("has changed"), "{message}");
    assert!(message.contains(first.header("etag")), "{message}");
    let delete = request(&app, Method::DELETE, "services/cart").header("if-match", &etag);
    TestResponse::send(delete)
        .await
        .error_message("PreconditionFailed", 412);
    let current = get_json(&app, "services/cart").await;
    assert_eq!(current["options"]["_ttl"], "10");
    // Restoring the old options creates a new revision.
    replace_entry(&app, "services/cart", &store_options()).await;
    let late = put_if_match(&app, "services/cart", &etag, &with_ttl(30)).await;
    late.error_message("PreconditionFailed", 412);
}

async fn replace_and_delete_require_a_precondition(app: TestApp) {
    let app = start_admin(&app).await;
    let etag = create_entry(&app, "services/cart", &store_options()).await;
    let unconditional = put(&app, "services/cart", &store_options()).await;
    let message = unconditional.error_message("PreconditionRequired", 428);
    assert!(message.contains("If-Match"), "{message}");
    let delete = request(&app, Method::DELETE, "services/cart");
    TestResponse::send(delete)
        .await
        .error_message("PreconditionRequired", 428);
    let body = store_options().to_string();
    let put = |name: &'static str, value: String| {
        let put = request(&app, Method::PUT, "services/cart").header(name, value);
        TestResponse::send(put.json_body(&body))
    };
    put("if-none-match", "*".to_owned())
        .await
        .error_message("PreconditionFailed", 412);
    put("if-match", format!("W/{etag}"))
        .await
        .error_message("PreconditionFailed", 412);
    put("if-match", etag.trim_matches('"').to_owned())
        .await
        .error_message("PreconditionFailed", 412);
    put("if-none-match", etag.clone())
        .await
        .error_message("InvalidParameter", 400);
    assert_eq!(put("if-match", format!("\"x\", {etag}")).await.status, 200);
    let absent = request(&app, Method::PUT, "services/other").header("if-match", "*");
    let absent = TestResponse::send(absent.json_body(&body)).await;
    absent.error_message("PreconditionFailed", 412);
}

async fn concurrent_creates_of_a_name_have_one_winner(app: TestApp) {
    let app = start_admin(&app).await;
    let creates = (0..6).map(|n| {
        let mut options = store_options();
        options["_ttl"] = json!(n + 1);
        let put = request(&app, Method::PUT, "services/cart").header("if-none-match", "*");
        TestResponse::send(put.json_body(&options.to_string()))
    });
    let responses = join_all(creates).await;
    let winners: Vec<_> = responses.iter().filter(|one| one.status == 201).collect();
    assert_eq!(winners.len(), 1);
    for other in responses.iter().filter(|one| one.status != 201) {
        other.error_message("PreconditionFailed", 412);
    }
    let current = get_json(&app, "services/cart").await;
    assert_eq!(current["options"], winners[0].json()["options"]);
    assert_eq!(audit_actions(&app).await, ["create service cart"]);
}

async fn concurrent_groups_with_the_same_number_have_one_winner(app: TestApp) {
    let app = start_admin(&app).await;
    let group = exclusive_group_options(&["8005550001"]);
    let (one, other) = tokio::join!(put(&app, "groups/a", &group), put(&app, "groups/b", &group));
    let (created, refused) = if one.status == 201 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(created.status, 201, "{}", created.text());
    let message = refused.error_message("InvalidDefinition", 400);
    assert!(message.contains("\"8005550001\" is also in"), "{message}");
}
