//! Events that are not delivered any more.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::fixture::{
    ENDPOINT, create_webhook, post, receiver, send_test_event, start, wait_for_deliveries,
    wait_for_webhook,
};
use crate::{
    api::admin::fixture::get_json,
    support::{TestApp, backends::MockResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    the_oldest_events_become_dead_letters_and_can_be_sent_again,
    dead_letters_are_listed_in_pages,
);

/// The path of the dead letters.
const DEAD_LETTERS: &str = "webhooks/services%2Fshop/dead-letters";

/// Sends test events to a webhook that fails and keeps one pending event; returns their ids in
/// the order in which they become dead letters. Events of one millisecond have any order, so no
/// two are of the same.
async fn send_events(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        sleep(Duration::from_millis(2)).await;
        ids.push(send_test_event(app, ENDPOINT).await);
    }
    ids
}

fn ids(page: &Value) -> Vec<&str> {
    let dead = page["dead_letters"].as_array().unwrap().iter();
    dead.map(|dead| dead["id"].as_str().unwrap()).collect()
}

async fn the_oldest_events_become_dead_letters_and_can_be_sent_again(app: TestApp) {
    let app = start(&app, &[("webhooks.max_pending", "1")]).await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let sent = send_events(&app, 1).await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    let sent = [sent, send_events(&app, 2).await].concat();
    let full = wait_for_webhook(&app, ENDPOINT, |webhook| webhook["dead_letters"] == 2).await;
    assert_eq!(full["pending"], 1);
    let page = get_json(&app, DEAD_LETTERS).await;
    let listed: BTreeSet<&str> = ids(&page).into_iter().collect();
    assert_eq!(listed, BTreeSet::from([&*sent[0], &*sent[1]]));
    let dead = &page["dead_letters"][0];
    assert_eq!(dead["type"], "webhook.test");
    assert!(dead["service"].is_null(), "{dead}");
    assert!(
        dead["reason"]
            .as_str()
            .is_some_and(|reason| !reason.is_empty()),
        "{dead}"
    );
    assert!(dead["dead_since"].is_string(), "{dead}");
    receiver.set_responder(|_| MockResponse::ok("{}"));
    post(&app, ENDPOINT, "resume", "").await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    for (form, expected) in [
        (format!("event={}", sent[0]), 1),
        (format!("event={}", sent[0]), 0),
        ("since=2100-01-01T00:00:00Z".to_owned(), 0),
    ] {
        let resent = post(&app, ENDPOINT, "resend", &form).await;
        assert_eq!(resent.json(), json!({"resent": expected}), "{form}");
    }
    wait_for_deliveries(&app, ENDPOINT, 2).await;
    let resent = post(&app, ENDPOINT, "resend", "since=2020-01-01T00:00:00Z").await;
    assert_eq!(resent.json(), json!({"resent": 1}));
    let empty = wait_for_deliveries(&app, ENDPOINT, 3).await;
    assert_eq!(empty["dead_letters"], 0);
    for form in [
        "",
        "event=",
        "since=yesterday",
        "event=a&since=2020-01-01T00:00:00Z",
    ] {
        post(&app, ENDPOINT, "resend", form)
            .await
            .error_message("InvalidParameter", 400);
    }
}

async fn dead_letters_are_listed_in_pages(app: TestApp) {
    let app = start(
        &app,
        &[
            ("webhooks.max_pending", "1"),
            ("webhooks.max_dead_letters", "3"),
        ],
    )
    .await;
    let receiver = receiver(410).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let first = send_events(&app, 1).await;
    let is_stopped = |webhook: &Value| webhook["stopped_since"].is_string();
    wait_for_webhook(&app, ENDPOINT, is_stopped).await;
    let sent = [first, send_events(&app, 4).await].concat();
    // The fifth event is pending, and of four dead letters the oldest was deleted.
    let page = get_json(&app, &format!("{DEAD_LETTERS}?limit=2")).await;
    let mut listed: Vec<String> = ids(&page).iter().map(ToString::to_string).collect();
    assert_eq!(listed.len(), 2);
    let next = page["next"].as_str().unwrap();
    let page = get_json(&app, &format!("{DEAD_LETTERS}?limit=2&after={next}")).await;
    listed.extend(ids(&page).iter().map(ToString::to_string));
    assert!(page["next"].is_null(), "{page}");
    listed.sort_unstable();
    let mut expected = sent[1..4].to_vec();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}
