//! The admin API of webhooks: unknown names, secrets, audit log, metrics.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    ENDPOINT, SECRET, create_webhook, post, receiver, send_test_event, start, wait_for_deliveries,
    webhook,
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_entry, exclusive_group_options, get, get_json, put, request,
    },
    support::{TestApp, TestResponse, on_redis_only},
};

on_redis_only!(
    unknown_webhooks_are_not_found,
    requests_need_the_credentials_of_an_operator,
    requests_are_recorded_in_the_audit_log,
    secrets_are_not_returned,
    invalid_options_are_rejected,
    groups_have_webhooks,
    deliveries_are_counted,
);

const ACTIONS: [&str; 3] = ["test", "resume", "resend"];

async fn unknown_webhooks_are_not_found(app: TestApp) {
    let app = start(&app, &[]).await;
    for name in [
        "services/shop",
        "services/store",
        "resources/DNIS",
        "shop",
        "x/y",
    ] {
        for action in ACTIONS {
            let response = post(&app, name, action, "event=evt_1").await;
            let message = response.error_message("WebhookNotFound", 404);
            assert!(message.contains(&format!("{name:?}")), "{message}");
        }
    }
    let response = get(&app, "webhooks/services%2Fshop/dead-letters").await;
    response.error_message("WebhookNotFound", 404);
    assert_eq!(get_json(&app, "webhooks").await, json!({"webhooks": []}));
}

async fn requests_need_the_credentials_of_an_operator(app: TestApp) {
    let app = start(&app, &[]).await;
    let list = app.get("/genesys/1/admin/webhooks");
    TestResponse::send(list)
        .await
        .error_message("Unauthorized", 401);
    for action in ACTIONS {
        let path = format!("/genesys/1/admin/webhooks/services%2Fshop/{action}");
        TestResponse::send(app.post(&path))
            .await
            .error_message("Unauthorized", 401);
        let cross_site = request(&app, Method::POST, &format!("webhooks/a/{action}"));
        let cross_site = cross_site.header("sec-fetch-site", "cross-site");
        TestResponse::send(cross_site)
            .await
            .error_message("Forbidden", 403);
    }
}

async fn requests_are_recorded_in_the_audit_log(app: TestApp) {
    let app = start(&app, &[]).await;
    create_webhook(&app, &receiver(200).await.url(), &json!({})).await;
    for action in ACTIONS {
        let form = if action == "resend" {
            "event=evt_1"
        } else {
            ""
        };
        assert_eq!(post(&app, ENDPOINT, action, form).await.status, 200);
    }
    let actions = audit_actions(&app).await;
    let expected = ["resend", "resume", "test"];
    let expected = expected.map(|action| format!("{action} webhook {ENDPOINT}"));
    assert_eq!(actions[..3], expected);
}

async fn secrets_are_not_returned(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    let secret = SECRET.trim_start_matches("whsec_");
    for path in ["webhooks", "services/shop", "audit-log", "catalog"] {
        let response = get(&app, path).await;
        assert!(
            !response.text().contains(secret),
            "{path}: {}",
            response.text()
        );
    }
    let entry = get_json(&app, "services/shop").await;
    assert!(
        entry
            .to_string()
            .contains("\"_webhook_secret\":\"********\""),
        "{entry}"
    );
}

async fn invalid_options_are_rejected(app: TestApp) {
    let app = start(&app, &[("webhooks.allow_http", "false")]).await;
    for (options, expected) in [
        (
            json!({"_webhook_url": "https://host/"}),
            "_webhook_secret: is missing",
        ),
        (
            json!({"_webhook_secret": SECRET}),
            "_webhook_url: is missing",
        ),
        (
            json!({"_webhook_url": "http://host/", "_webhook_secret": SECRET}),
            "webhooks.allow_http is false",
        ),
        (
            json!({"_webhook_url": "https://host/", "_webhook_secret": "secret"}),
            "_webhook_secret: expected one or two secrets",
        ),
        (
            json!({"_webhook_url": "https://host/", "_webhook_secret": SECRET, "_webhook_events": "chat.end"}),
            "contains \"chat.end\", expected * or a comma-separated list of",
        ),
        (
            json!({"_webhook_url": "https://host/", "_webhook_secret": SECRET, "_webhook_events": "chat.ended"}),
            "which does not occur here",
        ),
    ] {
        let service = json!({"_type": "builtin", "_service": "store"});
        for (path, base) in [
            ("services/shop", service),
            ("groups/support", exclusive_group_options(&["8005550001"])),
        ] {
            let mut entry = base.as_object().unwrap().clone();
            entry.extend(options.as_object().unwrap().clone());
            let response = put(&app, path, &entry.into()).await;
            let message = response.error_message("InvalidDefinition", 400);
            assert!(message.contains(expected), "{message}");
        }
    }
}

async fn groups_have_webhooks(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    let mut group = exclusive_group_options(&["8005550001"]);
    group["_webhook_url"] = json!(receiver.url());
    group["_webhook_secret"] = json!(SECRET);
    group["_webhook_events"] = json!("number.booked,number.exhausted");
    create_entry(&app, "groups/a%2Fb", &group).await;
    let endpoint = "resources/a/b";
    let events = json!(["number.booked", "number.exhausted"]);
    assert_eq!(webhook(&app, endpoint).await["events"], events);
    send_test_event(&app, endpoint).await;
    wait_for_deliveries(&app, endpoint, 1).await;
}

async fn deliveries_are_counted(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    let metrics = TestResponse::send(app.get("/metrics")).await;
    let counter = "switchboard_webhook_deliveries_total{result=\"success\"} 1\n";
    assert!(metrics.text().contains(counter), "{}", metrics.text());
    let dropped = "switchboard_webhook_dropped_events_total 0\n";
    assert!(metrics.text().contains(dropped), "{}", metrics.text());
}
