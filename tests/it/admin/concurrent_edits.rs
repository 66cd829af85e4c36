//! Two editors cannot overwrite each other, and one cannot overwrite what it has not seen.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::fixture::{
    audit_actions, create_entry, exclusive_group_options, get, get_json, put, put_if_match,
    replace_entry, request, start_admin, store_options,
};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    of_two_editors_the_second_is_told_that_it_has_not_seen_the_first,
    what_is_there_is_replaced_and_deleted_only_by_who_says_which_state,
    of_many_who_make_one_name_one_does,
    of_two_who_take_one_number_into_two_groups_one_does,
);

async fn of_two_editors_the_second_is_told_that_it_has_not_seen_the_first(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/cart", &store_options()).await;
    let seen = get(&app, "services/cart").await.header("etag").to_owned();
    let with_ttl = |ttl: u32| {
        let mut options = store_options();
        options["_ttl"] = json!(ttl);
        options
    };
    let first = put_if_match(&app, "services/cart", &seen, &with_ttl(10)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let second = put_if_match(&app, "services/cart", &seen, &with_ttl(20)).await;
    let message = second.error_message("PreconditionFailed", 412);
    assert!(message.contains("has been changed"), "{message}");
    assert!(message.contains(first.header("etag")), "{message}");
    let delete = request(&app, Method::DELETE, "services/cart").header("if-match", &seen);
    TestResponse::send(delete)
        .await
        .error_message("PreconditionFailed", 412);
    let is = get_json(&app, "services/cart").await;
    assert_eq!(is["options"]["_ttl"], "10");
    // Back to what it was is another state all the same.
    replace_entry(&app, "services/cart", &store_options()).await;
    let late = put_if_match(&app, "services/cart", &seen, &with_ttl(30)).await;
    late.error_message("PreconditionFailed", 412);
}

async fn what_is_there_is_replaced_and_deleted_only_by_who_says_which_state(app: TestApp) {
    let app = start_admin(&app).await;
    let etag = create_entry(&app, "services/cart", &store_options()).await;
    let unsaid = put(&app, "services/cart", &store_options()).await;
    let message = unsaid.error_message("PreconditionRequired", 428);
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

async fn of_many_who_make_one_name_one_does(app: TestApp) {
    let app = start_admin(&app).await;
    let makers = (0..6).map(|n| {
        let mut options = store_options();
        options["_ttl"] = json!(n + 1);
        let put = request(&app, Method::PUT, "services/cart").header("if-none-match", "*");
        TestResponse::send(put.json_body(&options.to_string()))
    });
    let answers = join_all(makers).await;
    let made: Vec<_> = answers.iter().filter(|one| one.status == 201).collect();
    assert_eq!(made.len(), 1);
    for other in answers.iter().filter(|one| one.status != 201) {
        other.error_message("PreconditionFailed", 412);
    }
    let is = get_json(&app, "services/cart").await;
    assert_eq!(is["options"], made[0].json()["options"]);
    assert_eq!(audit_actions(&app).await, ["create service cart"]);
}

async fn of_two_who_take_one_number_into_two_groups_one_does(app: TestApp) {
    let app = start_admin(&app).await;
    let group = exclusive_group_options(&["8005550001"]);
    let (one, other) = tokio::join!(put(&app, "groups/a", &group), put(&app, "groups/b", &group));
    let (made, refused) = if one.status == 201 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(made.status, 201, "{}", made.text());
    let message = refused.error_message("InvalidDefinition", 400);
    assert!(message.contains("\"8005550001\" is in"), "{message}");
}
