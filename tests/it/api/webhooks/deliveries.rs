//! Requests to receivers: signatures, order, concurrency, retries.

use serde_json::{Value, json};

use super::fixture::{
    ENDPOINT, LOCAL_RECEIVERS, OTHER_SECRET, SECRET, create_webhook, create_webhook_of, post,
    receiver, send_test_event, start, verify, wait_for_deliveries, wait_for_failure,
    wait_for_webhook,
};
use crate::{
    api::admin::fixture::{replace_entry, start_replica},
    support::{
        TestApp,
        backends::{Backend, MockResponse},
        eventually, on_every_kind_of_store,
    },
};

on_every_kind_of_store!(
    an_event_is_signed_and_delivered,
    an_event_is_signed_with_both_secrets_during_a_rotation,
    a_failed_event_is_sent_again_after_five_seconds,
    a_slow_webhook_delays_no_other,
    a_change_of_the_catalog_applies_to_pending_events,
    a_response_410_stops_the_webhook_until_it_is_resumed,
    a_replica_delivers_what_another_one_has_claimed_and_released,
);

async fn an_event_is_signed_and_delivered(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(200).await;
    create_webhook(&app, &format!("{}/hook?a=b", receiver.url()), &json!({})).await;
    let id = send_test_event(&app, ENDPOINT).await;
    let webhook = wait_for_deliveries(&app, ENDPOINT, 1).await;
    let request = receiver.last_request();
    assert_eq!(request.request_line(), "POST /hook?a=b");
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("switchboard/"));
    let event = verify(&request, SECRET);
    assert_eq!(event["id"], id);
    assert_eq!(event["type"], "webhook.test");
    assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
    assert!(event["data"]["message"].is_string(), "{event}");
    assert_eq!(event.get("service"), None);
    for (member, expected) in [
        ("url", json!(format!("{}/hook?a=b", receiver.url()))),
        ("user_data", json!(false)),
        ("pending", json!(0)),
        ("lag_seconds", Value::Null),
        ("dead_letters", json!(0)),
        ("failed", json!(0)),
        ("last_failure", Value::Null),
        ("stopped_since", Value::Null),
    ] {
        assert_eq!(webhook[member], expected, "{member}: {webhook}");
    }
    assert!(webhook["last_success"].is_string(), "{webhook}");
    assert_eq!(webhook["events"].as_array().unwrap().len(), 4, "{webhook}");
}

async fn an_event_is_signed_with_both_secrets_during_a_rotation(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(204).await;
    let secrets = json!({"_webhook_secret": format!("{OTHER_SECRET} {SECRET}")});
    create_webhook(&app, &receiver.url(), &secrets).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    let request = receiver.last_request();
    verify(&request, SECRET);
    verify(&request, OTHER_SECRET);
}

async fn a_failed_event_is_sent_again_after_five_seconds(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(500).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let id = send_test_event(&app, ENDPOINT).await;
    assert_eq!(wait_for_failure(&app, ENDPOINT).await, "response 500");
    let failed = wait_for_webhook(&app, ENDPOINT, |webhook| webhook["failed"] == 1).await;
    assert_eq!(failed["pending"], 1);
    assert!(failed["lag_seconds"].is_number(), "{failed}");
    receiver.set_responder(|_| MockResponse::ok("{}"));
    let delivered = wait_for_deliveries(&app, ENDPOINT, 1).await;
    assert_eq!(delivered["pending"], 0);
    let requests = receiver.received_requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.header("webhook-id") == id)
    );
    let timestamp = |index: usize| requests[index].header("webhook-timestamp").parse::<i64>();
    let pause = timestamp(1).unwrap() - timestamp(0).unwrap();
    assert!((4..=15).contains(&pause), "{pause}");
}

async fn a_slow_webhook_delays_no_other(app: TestApp) {
    let app = start(&app, &[("webhooks.concurrency", "1")]).await;
    let slow = Backend::new(|_| MockResponse::Hang).await;
    let fast = receiver(200).await;
    create_webhook_of(&app, "slow", &slow.url(), &json!({})).await;
    create_webhook_of(&app, "fast", &fast.url(), &json!({})).await;
    send_test_event(&app, "services/slow").await;
    eventually("the slow receiver has a request", async || {
        slow.received_requests().pop()
    })
    .await;
    for count in 1..=3 {
        send_test_event(&app, "services/fast").await;
        wait_for_deliveries(&app, "services/fast", count).await;
    }
    assert_eq!(slow.received_requests().len(), 1);
}

async fn a_change_of_the_catalog_applies_to_pending_events(app: TestApp) {
    let app = start(&app, &[]).await;
    let (before, after) = (receiver(503).await, receiver(200).await);
    create_webhook(&app, &before.url(), &json!({})).await;
    let id = send_test_event(&app, ENDPOINT).await;
    assert_eq!(wait_for_failure(&app, ENDPOINT).await, "response 503");
    let options = json!({
        "_type": "builtin",
        "_service": "store",
        "_webhook_url": after.url(),
        "_webhook_secret": OTHER_SECRET,
    });
    replace_entry(&app, "services/shop", &options).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    assert_eq!(verify(&after.last_request(), OTHER_SECRET)["id"], id);
    assert_eq!(before.received_requests().len(), 1);
}

async fn a_replica_delivers_what_another_one_has_claimed_and_released(app: TestApp) {
    if app.redis.is_none() {
        return;
    }
    let first = start(&app, &[]).await;
    let receiver = receiver(500).await;
    create_webhook(&first, &receiver.url(), &json!({})).await;
    let id = send_test_event(&first, ENDPOINT).await;
    assert_eq!(wait_for_failure(&first, ENDPOINT).await, "response 500");
    let second = start_replica(&first, &LOCAL_RECEIVERS).await;
    first.stop().await;
    receiver.set_responder(|_| MockResponse::ok("{}"));
    wait_for_deliveries(&second, ENDPOINT, 1).await;
    assert_eq!(verify(&receiver.last_request(), SECRET)["id"], id);
}

async fn a_response_410_stops_the_webhook_until_it_is_resumed(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let first = send_test_event(&app, ENDPOINT).await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    let stopped = wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    assert_eq!(stopped["pending"], 1);
    assert_eq!(stopped["last_failure"]["error"], "response 410");
    receiver.set_responder(|_| MockResponse::ok("{}"));
    let second = send_test_event(&app, ENDPOINT).await;
    let pending = wait_for_webhook(&app, ENDPOINT, |webhook| webhook["pending"] == 2).await;
    assert_eq!(pending["delivered"], 0);
    for was_stopped in [true, false] {
        let resumed = post(&app, ENDPOINT, "resume", "").await;
        assert_eq!(resumed.json(), json!({"was_stopped": was_stopped}));
    }
    let running = wait_for_deliveries(&app, ENDPOINT, 2).await;
    assert!(running["stopped_since"].is_null(), "{running}");
    let requests = receiver.received_requests();
    let ids: Vec<&str> = requests
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert_eq!(ids, [&first, &first, &second]);
}
