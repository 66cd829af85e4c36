//! Webhooks that are not in the catalog any more, but have events.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    ENDPOINT, create_webhook, post, receiver, send_test_event, start, wait_for_webhook, webhook,
};
use crate::{
    api::admin::fixture::{audit_actions, get, get_json, replace_entry, request},
    support::{TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(events_without_a_configured_webhook_are_listed_and_deleted);

async fn delete_events(app: &TestApp) -> TestResponse {
    let path = "webhooks/services%2Fshop/events";
    TestResponse::send(request(app, Method::DELETE, path)).await
}

async fn events_without_a_configured_webhook_are_listed_and_deleted(app: TestApp) {
    let app = start(&app, &[("webhooks.max_pending", "1")]).await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    assert_eq!(delete_events(&app).await.json(), json!({"deleted": 0}));
    send_test_event(&app, ENDPOINT).await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    let pending = send_test_event(&app, ENDPOINT).await;
    wait_for_webhook(&app, ENDPOINT, |webhook| webhook["dead_letters"] == 1).await;

    let without_webhook = json!({"_type": "builtin", "_service": "store"});
    replace_entry(&app, "services/shop", &without_webhook).await;
    let listed = webhook(&app, ENDPOINT).await;
    assert_eq!(
        [&listed["url"], &listed["events"], &listed["user_data"]],
        [&json!(null), &json!([]), &json!(false)]
    );
    assert_eq!(
        (&listed["pending"], &listed["dead_letters"]),
        (&json!(1), &json!(1))
    );
    let dead = get_json(&app, "webhooks/services%2Fshop/dead-letters").await;
    assert_eq!(dead["dead_letters"].as_array().unwrap().len(), 1);
    // Nothing can be delivered.
    for action in ["test", "resume", "resend"] {
        let response = post(&app, ENDPOINT, action, &format!("event={pending}")).await;
        response.error_message("WebhookNotFound", 404);
    }
    assert_eq!(delete_events(&app).await.json(), json!({"deleted": 2}));
    let actions = audit_actions(&app).await;
    assert_eq!(actions[0], format!("delete webhook {ENDPOINT}"));
    assert_eq!(get_json(&app, "webhooks").await, json!({"webhooks": []}));
    delete_events(&app)
        .await
        .error_message("WebhookNotFound", 404);
    let dead = get(&app, "webhooks/services%2Fshop/dead-letters").await;
    dead.error_message("WebhookNotFound", 404);
}
